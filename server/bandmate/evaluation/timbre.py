# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instrument sounds like, in numbers that trained no model: cepstrum, contrast, attack.

Level does not count. Two sounds are compared over the same notes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.signal import stft

from bandmate.report.notes import Note

Floats = NDArray[np.float32]
Vector = NDArray[np.float64]

WINDOW, HOP = 2048, 512
MEL_BANDS, CEPSTRA = 40, 16
CONTRAST_EDGES_HZ = (100, 200, 400, 800, 1600, 3200, 6400, 12800)
RANGE_DB = 60.0
ENVELOPE_SECONDS = 0.005
AFTER_ATTACK_SECONDS = 0.4
# Values after an attack, in seconds: how the level goes on is half of an instrument.
DECAY_AT_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.35)


def mel_matrix(rate: int) -> Vector:
    """Triangular mel bands [MEL_BANDS, bins] up to 16 kHz."""
    top = 2595 * np.log10(1 + 16_000 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    bins = np.arange(WINDOW // 2 + 1) * rate / WINDOW
    rows = []
    for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        row = np.clip(np.minimum(rising, falling), 0, 1)
        rows.append(row / max(row.sum(), 1e-9))
    return np.array(rows)


def features(audio: Floats, rate: int, notes: Sequence[Note]) -> Vector:
    """A vector of a sound [samples, channels] that plays `notes`.

    Raises:
        ValueError: there is nothing to hear.
    """
    mono = audio.mean(axis=1).astype(np.float64)
    if np.abs(mono).max() < 1e-5:
        raise ValueError("The sound is silent.")
    power = np.abs(stft(mono, rate, nperseg=WINDOW, noverlap=WINDOW - HOP)[2]) ** 2
    loud = power.sum(axis=0) > power.sum(axis=0).max() * 10 ** (-RANGE_DB / 10)
    power = power[:, loud]
    mel = np.log10(mel_matrix(rate) @ power + power.max() * 10 ** (-RANGE_DB / 10)) * 10
    cepstra = dct(mel, axis=0, norm="ortho")[1 : CEPSTRA + 1]
    change = np.abs(np.diff(cepstra, axis=1))
    parts = [cepstra.mean(axis=1), cepstra.std(axis=1), change.mean(axis=1)]
    return np.concatenate([*parts, _contrast(power, rate), _envelope(mono, rate, notes)])


def _contrast(power: Vector, rate: int) -> Vector:
    """Peaks over valleys in dB for each octave: tones against noise."""
    bins = np.arange(len(power)) * rate / WINDOW
    out = []
    for low, high in itertools.pairwise(CONTRAST_EDGES_HZ):
        band = np.sort(power[(bins >= low) & (bins < high)], axis=0) + 1e-12
        share = max(1, len(band) // 5)
        ratio = band[-share:].mean(axis=0) / band[:share].mean(axis=0)
        out.append(np.mean(10 * np.log10(ratio)))
    return np.array(out)


def _envelope(mono: Vector, rate: int, notes: Sequence[Note]) -> Vector:
    """Level after an attack relative to its loudest, and the time to it; medians over notes."""
    size, length = round(ENVELOPE_SECONDS * rate), round(AFTER_ATTACK_SECONDS / ENVELOPE_SECONDS)
    usable = len(mono) // size * size
    level = 10 * np.log10(np.square(mono[:usable]).reshape(-1, size).mean(axis=1) + 1e-10)
    rows = []
    for note in notes:
        first = round(note.start / ENVELOPE_SECONDS)
        piece = level[first : first + length]
        if len(piece) == length:
            at = [piece[round(s / ENVELOPE_SECONDS)] - piece.max() for s in DECAY_AT_SECONDS]
            rows.append([*np.clip(at, -40, 0), 40 * int(piece.argmax()) / length])
    return np.median(np.array(rows), axis=0) if rows else np.zeros(len(DECAY_AT_SECONDS) + 1)


class Reference:
    """Known sounds of each family, against which others are told."""

    def __init__(self, rows: Sequence[tuple[str, Vector]]) -> None:
        """rows: (family, features) of each known sound."""
        self.families = [family for family, _ in rows]
        values = np.array([vector for _, vector in rows])
        self._mean, self._scale = values.mean(axis=0), values.std(axis=0) + 1e-6
        self._values = (values - self._mean) / self._scale

    def scaled(self, vector: Vector) -> Vector:
        """A vector on the reference's own scale."""
        return (vector - self._mean) / self._scale

    def nearest(self, vector: Vector) -> str:
        """The family of the nearest known sound."""
        distances = np.square(self._values - self.scaled(vector)).sum(axis=1)
        return self.families[int(distances.argmin())]

    def self_check(self) -> float:
        """Share of the known sounds whose nearest other sound is of their family."""
        pairs = np.square(self._values[:, None] - self._values[None]).sum(axis=2)
        np.fill_diagonal(pairs, np.inf)
        nearest = [self.families[int(i)] for i in pairs.argmin(axis=1)]
        return float(np.mean([a == b for a, b in zip(nearest, self.families, strict=True)]))
