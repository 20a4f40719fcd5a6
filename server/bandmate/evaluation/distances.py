# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a sound is from the one it should be, and what else was added to it."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import stft

Floats = NDArray[np.float32]

WINDOWS = (512, 1024, 2048, 4096)
AUDIBLE_DB = 60.0  # bins this far under the loudest do not count
NEAR_HZ = 4.0
ENVELOPE_RATE = 1000
FRAME_SECONDS = 0.04
CHANNEL_FLOOR_DB = 40.0  # frames this far under the loudest do not count
SIDE_FLOOR_DB = -100.0


def spectral(reference: Floats, other: Floats, rate: int) -> dict[str, float]:
    """Multi-resolution distance of two mono sounds of equal length.

    Returns:
        log_stft_db: mean absolute difference in dB of audible bins, mean of four resolutions.
        convergence: |A - B| / |A| of magnitudes (Frobenius norms), mean of the same.
    """
    logs, convergences = [], []
    for window in WINDOWS:
        a, b = (
            np.abs(stft(x.astype(np.float64), rate, nperseg=window, noverlap=window * 3 // 4)[2])
            for x in (reference, other)
        )
        floor = a.max() * 10 ** (-AUDIBLE_DB / 20) + 1e-12
        audible = a > floor
        difference = 20 * np.log10(np.maximum(a, floor) / np.maximum(b, floor))
        logs.append(np.abs(difference[audible]).mean() if audible.any() else 0.0)
        convergences.append(np.linalg.norm(a - b) / (np.linalg.norm(a) + 1e-12))
    return {"log_stft_db": float(np.mean(logs)), "convergence": float(np.mean(convergences))}


def line_db(audio: Floats, rate: int, hertz: float) -> float:
    """How far a line at `hertz` stands over its surroundings in the envelope's spectrum, in dB.

    A click at every frame is a line at the frame rate; a pulse at every hop, at the hop rate.
    Takes a mono sound of 4 s or more.
    """
    size = rate // ENVELOPE_RATE
    high = np.diff(audio.astype(np.float64), prepend=0.0)  # clicks live in high frequencies
    usable = len(high) // size * size
    envelope = np.sqrt(np.square(high[:usable]).reshape(-1, size).mean(axis=1))
    envelope /= np.convolve(envelope, np.ones(400) / 400, "same") + 1e-7
    power = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(envelope)))) ** 2
    at = np.fft.rfftfreq(len(envelope), 1 / ENVELOPE_RATE)
    line = power[np.abs(at - hertz) <= 0.25].max()
    around = power[(np.abs(at - hertz) > 0.5) & (np.abs(at - hertz) <= NEAR_HZ)]
    return float(10 * np.log10(line / (around.mean() + 1e-20) + 1e-12))


def side_db(audio: Floats) -> float:
    """Energy of the difference of two channels against that of their sum, in dB; -100 is mono."""
    middle, side = audio.sum(axis=1, dtype=np.float64), audio[:, 0] - audio[:, 1].astype(np.float64)
    ratio = np.square(side).mean() / (np.square(middle).mean() + 1e-12)
    return float(max(SIDE_FLOOR_DB, 10 * np.log10(ratio + 1e-12)))


def balance_error_db(reference: Floats, other: Floats, rate: int) -> float:
    """How wrong left over right is: mean absolute difference in dB over frames of 40 ms.

    Args:
        reference, other: [samples, 2] of equal length; only frames count in which the reference is
            within CHANNEL_FLOOR_DB of its loudest.
    """
    size = round(FRAME_SECONDS * rate)
    count = len(reference) // size

    def levels(audio: Floats) -> NDArray[np.float64]:
        frames = audio[: count * size].astype(np.float64).reshape(count, size, 2)
        return np.square(frames).mean(axis=1)

    a, b = levels(reference), levels(other)
    total = a.sum(axis=1)
    heard = total > total.max() * 10 ** (-CHANNEL_FLOOR_DB / 10)

    def balance(power: NDArray[np.float64]) -> NDArray[np.float64]:
        floor = power.sum(axis=1) * 1e-3 + 1e-12  # beyond 30 dB it is one side, and no more
        return 10 * np.log10((power[:, 0] + floor) / (power[:, 1] + floor))

    return float(np.abs(balance(a) - balance(b))[heard].mean()) if heard.any() else 0.0


def opus(audio: Floats, rate: int) -> tuple[Floats, float]:
    """A sound [samples, channels] through Opus at 6 kbit/s, which is its lowest rate and mono.

    Returns:
        the same shape, all channels alike, the codec's delay taken out; and the bits per second of
        the whole file, its container included.
    """
    buffer = io.BytesIO()
    mono = audio.mean(axis=1)
    # 1 is the strongest compression: 6 kbit/s a channel
    soundfile.write(buffer, mono, rate, format="OGG", subtype="OPUS", compression_level=1.0)
    bits = 8 * buffer.tell() * rate / len(mono)
    buffer.seek(0)
    decoded = soundfile.read(buffer, dtype="float32")[0][: len(mono)]
    decoded = np.pad(decoded, (0, len(mono) - len(decoded)))
    return np.repeat(decoded[:, None], audio.shape[1], axis=1), bits


def perplexity(codes: NDArray[np.int32], size: int) -> list[float]:
    """For each codebook of codes [frames, codebooks], how many of `size` codes are in even use."""
    out = []
    for book in codes.T:
        share = np.bincount(book, minlength=size) / len(book)
        share = share[share > 0]
        out.append(float(np.exp(-(share * np.log(share)).sum())))
    return out
