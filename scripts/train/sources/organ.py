# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawbar organ with key click, percussion and a rotating speaker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from notes import SAMPLE_RATE
from numpy.typing import NDArray

from sources.player import fade_in, frequency, seconds
from sources.wavetable import phase, read, rows

Floats = NDArray[np.float32]

HARMONICS = (1, 3, 2, 4, 6, 8, 10, 12, 16)  # of the drawbars, counted from the 16 foot one
REGISTRATIONS = (
    (8, 8, 8, 0, 0, 0, 0, 0, 0),
    (8, 8, 8, 8, 8, 8, 8, 8, 8),
    (8, 3, 8, 6, 0, 0, 0, 0, 4),
    (0, 0, 8, 8, 4, 0, 0, 0, 0),
    (8, 0, 8, 0, 8, 0, 0, 0, 8),
    (0, 0, 8, 7, 6, 5, 4, 4, 3),
    (0, 0, 8, 0, 0, 0, 0, 0, 0),
)


@dataclass(frozen=True)
class Organ:
    """A patch: see `Voice`. `rotor` is the speaker's turns per second, 0 for none."""

    words: tuple[str, ...]
    release: float
    drawbars: tuple[float, ...]
    click: float
    percussion: float
    rotor: float
    depth: float

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        hertz, t = frequency(pitch) / 2, seconds(samples)
        spectrum = np.zeros((1, max(HARMONICS)), complex)
        for harmonic, level in zip(HARMONICS, self.drawbars, strict=True):
            if harmonic * hertz < 9000 and level:
                spectrum[0, harmonic - 1] = 10 ** (-(8 - level) * 3 / 20) * np.exp(1j * harmonic)
        cycles = phase(hertz, samples)
        wave = read(rows(spectrum), None, cycles)
        if self.percussion:
            strike = self.percussion * np.exp(-t / 0.18)
            wave += strike * np.sin(2 * np.pi * ((cycles * 6) % 1)).astype(np.float32)
        size = min(samples, SAMPLE_RATE // 100)
        noise = np.random.default_rng(pitch).standard_normal(size).astype(np.float32)
        wave[:size] += self.click * noise * np.exp(-np.arange(size) / 80).astype(np.float32)
        return fade_in(wave * np.float32(0.9 + 0.1 * hardness), 72)

    def finish(self, audio: Floats) -> Floats:
        """Turns the horn: level, pitch and side swing."""
        if not self.rotor:
            return audio
        turn = (2 * np.pi * self.rotor) * seconds(len(audio))
        out = np.empty_like(audio)
        mono = audio.mean(axis=1)
        at = np.arange(len(mono), dtype=np.float32)
        for side, shift in enumerate((0.0, 2.1)):
            swing = np.sin(turn + np.float32(shift))
            # Never ahead of time: the farthest point of the horn is the latest
            late = at - 14 * (1 - swing)
            first = np.maximum(late, 0).astype(np.int32)
            part = np.maximum(late - first, 0)
            following = np.minimum(first + 1, len(mono) - 1)
            moved = mono[first] + part * (mono[following] - mono[first])
            out[:, side] = moved * (1 - self.depth * (0.5 - 0.5 * swing))
        return out


def organ(rng: np.random.Generator) -> Organ:
    """One of several registrations, with the speaker still, slow or fast."""
    base = REGISTRATIONS[rng.integers(len(REGISTRATIONS))]
    bars = tuple(float(np.clip(b + rng.integers(-1, 2), 0, 8)) if b else 0.0 for b in base)
    rotor = float(rng.choice((0.0, 0.75, 6.2), p=(0.4, 0.25, 0.35)))
    words = ["drawbar organ", "tonewheel organ", "hammond organ"]
    words.append("full" if sum(bars) > 40 else "mellow")
    if rotor:
        words.append("rotary" if rotor > 2 else "slow rotary")
    return Organ(
        tuple(words), 0.03, bars, float(rng.choice((0.05, 0.2, 0.5))),
        float(rng.choice((0.0, 0.0, 0.8))), rotor * float(rng.uniform(0.9, 1.1)),
        float(rng.uniform(0.2, 0.5)),
    )  # fmt: skip
