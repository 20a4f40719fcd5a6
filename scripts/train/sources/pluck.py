# SPDX-License-Identifier: GPL-3.0-or-later
"""Plucked strings by the extended Karplus-Strong model, one spectrum a period.

A burst of noise, combed by where the string is plucked, goes round a loop whose filter loses
treble first. In the frequency domain the loop is a power of the filter's response, so that many
periods are made at once and the pitch is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from notes import SAMPLE_RATE
from numpy.typing import NDArray

from sources.player import fade_in, frequency, seconds
from sources.wavetable import partials, phase, read, rows

Floats = NDArray[np.float32]

LOOP_ROWS = 64
LOOP_SPAN = 6.0  # seconds the rows cover, closer together at the beginning


@dataclass(frozen=True)
class String:
    """A patch: see `Voice`.

    Attributes:
        ring: seconds until the fundamental of pitch 60 is 60 dB down.
        damping: how much faster treble dies, in 1/s at 1 kHz.
        brightness: Hz above which the pluck has less and less.
        place: where it is plucked, part of the string's length.
        body: (Hz, gain) resonances.
        courses: detune in cents of the strings of one key.
        noise: level of the finger's or plectrum's own sound.
        seed: of the burst.
    """

    words: tuple[str, ...]
    release: float
    ring: float
    damping: float
    brightness: float
    place: float
    body: tuple[tuple[float, float], ...]
    courses: tuple[float, ...]
    noise: float
    seed: int

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        hertz, t = frequency(pitch), seconds(samples)
        rng = np.random.default_rng([self.seed, pitch])
        number = np.arange(1, partials(hertz) + 1)
        at = hertz * number
        burst = rng.uniform(0.6, 1.4, len(number)) * np.exp(1j * rng.uniform(-0.9, 0.9, len(at)))
        burst *= np.abs(np.sin(np.pi * number * self.place)) / number**0.6
        burst /= np.sqrt(1 + (at / (self.brightness * 2 ** (1.6 * (hardness - 0.75)))) ** 4)
        for centre, gain in self.body:
            burst *= 1 + gain / (1 + ((at - centre) / (0.18 * centre)) ** 2)
        rate = 6.9 / (self.ring * 2 ** ((60 - pitch) / 30)) + self.damping * (at / 1000) ** 1.3
        place = np.linspace(0, 1, LOOP_ROWS) ** 2.5
        table = rows(burst * np.exp(-rate * (place * LOOP_SPAN)[:, None]))
        row = np.minimum(t / LOOP_SPAN, 1) ** np.float32(0.4) * (LOOP_ROWS - 1)
        wave = np.zeros(samples, np.float32)
        for cents in self.courses:
            wave += read(table, row, phase(hertz * 2 ** (cents / 1200), samples))
        wave *= np.exp(-np.maximum(t - LOOP_SPAN, 0) * np.float32(rate[0]))
        self._click(wave, rng, hardness)
        return fade_in(wave, 24)

    def _click(self, wave: Floats, rng: np.random.Generator, hardness: float) -> None:
        size = min(len(wave), SAMPLE_RATE // 60)
        click = rng.standard_normal(size).astype(np.float32)
        click = np.convolve(click, np.hanning(7).astype(np.float32), "same")
        level = self.noise * hardness * float(np.abs(wave[: 4 * size]).max())
        wave[:size] += level * click * np.exp(-np.arange(size) / 120).astype(np.float32)

    def finish(self, audio: Floats) -> Floats:
        return audio


def guitar(rng: np.random.Generator) -> String:
    """Nylon, steel or twelve strings."""
    kind = ("nylon guitar", "steel string guitar", "twelve string guitar")[rng.integers(3)]
    bright = float(rng.uniform(900, 1900) if "nylon" in kind else rng.uniform(2000, 4500))
    body = ((110.0, 1.5), (210.0, 1.2), (420.0, 0.5))
    courses = (-4.0, 4.0) if "twelve" in kind else (0.0,)
    words = (kind, "plucked guitar", "acoustic guitar", "mellow" if bright < 1500 else "bright")
    return String(
        words, float(rng.uniform(0.06, 0.25)), float(rng.uniform(2.5, 5)), bright_damping(rng),
        bright, float(rng.uniform(0.08, 0.35)), body, courses, float(rng.uniform(0.02, 0.2)),
        int(rng.integers(1 << 30)),
    )  # fmt: skip


def harp(rng: np.random.Generator) -> String:
    """Rings on after the finger has left."""
    return String(
        ("harp", "plucked strings", "gentle"), float(rng.uniform(0.6, 1.5)),
        float(rng.uniform(3, 6)),
        bright_damping(rng), float(rng.uniform(900, 2200)), float(rng.uniform(0.3, 0.48)),
        ((180.0, 0.8),), (0.0,), 0.02, int(rng.integers(1 << 30)),
    )  # fmt: skip


def harpsichord(rng: np.random.Generator) -> String:
    """A quill near the string's end."""
    return String(
        ("harpsichord", "baroque", "bright"), 0.12, float(rng.uniform(2, 4)),
        bright_damping(rng) * 0.6, float(rng.uniform(4500, 8000)), float(rng.uniform(0.05, 0.15)),
        ((900.0, 0.6),), (-1.5, 1.5), float(rng.uniform(0.1, 0.3)), int(rng.integers(1 << 30)),
    )  # fmt: skip


def bright_damping(rng: np.random.Generator) -> float:
    """1/s at 1 kHz."""
    return float(rng.uniform(1.0, 4.0))
