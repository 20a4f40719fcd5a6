# SPDX-License-Identifier: GPL-3.0-or-later
"""Analog style synthesiser: detuned saw and pulse waves through a resonant low-pass filter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources.player import fade_in, frequency, seconds
from sources.wavetable import partials, phase, read, rows

Floats = NDArray[np.float32]

FILTER_ROWS = 40
FILTER_TOP = 16_000.0


@dataclass(frozen=True)
class Analog:
    """A patch: see `Voice`. Times in seconds, `reach` in octaves over the cutoff."""

    words: tuple[str, ...]
    release: float
    pulse: float  # width of the pulse; 0 is a saw
    detunes: tuple[float, ...]  # cents, one oscillator each
    spread: float  # of the oscillators from left to right
    cutoff: float  # Hz at pitch 60
    reach: float
    filter_decay: float
    resonance: float
    attack: float
    decay: float
    sustain: float
    vibrato: float  # cents
    sub: float  # level of a sine an octave below

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        hertz, t = frequency(pitch), seconds(samples)
        sweep = np.exp(-t / self.filter_decay) if self.filter_decay else np.ones_like(t)
        if self.attack > 0.1:  # slow sounds open slowly
            sweep = np.minimum(1, t / self.attack) ** 0.7
        bottom = self.cutoff * 2 ** ((pitch - 60) / 24) * 2 ** (1.2 * (hardness - 0.75))
        reach = self.reach * (0.4 + 0.8 * hardness)
        table = self._table(hertz, bottom, reach)
        wobble = np.zeros(samples)
        if self.vibrato:
            depth = self.vibrato / 1200 * np.log(2) * hertz / (2 * np.pi * 5.3)
            wobble = depth * (1 - np.cos(2 * np.pi * 5.3 * t)) * np.minimum(1, t / 0.6)
        out = np.zeros((samples, 2), np.float32)
        for number, cents in enumerate(self.detunes):
            place = 2 * number / max(1, len(self.detunes) - 1) - 1 if self.spread else 0.0
            start = (number * 0.381) % 1  # apart, or the attack would be one big spike
            cycles = phase(hertz * 2 ** (cents / 1200), samples, start) + wobble
            wave = read(table, sweep * (FILTER_ROWS - 1), cycles)
            out += wave[:, None] * (1 + self.spread * place * np.array([-1, 1], np.float32))
        if self.sub:
            level = self.sub * len(self.detunes)
            out += (level * np.sin(np.pi * hertz * t.astype(np.float64)))[:, None]
        rise = np.minimum(1, t / self.attack) if self.attack > 0.002 else np.ones_like(t)
        fall = self.sustain + (1 - self.sustain) * np.exp(-t / self.decay)
        return fade_in(out * (rise * fall).astype(np.float32)[:, None], 48)

    def _table(self, hertz: float, bottom: float, reach: float) -> Floats:
        number = np.arange(1, partials(hertz) + 1)
        if self.pulse:
            wave = np.sin(np.pi * number * self.pulse) / number * 1.4 + 0j
        else:
            wave = -1j / number
        cutoffs = np.minimum(bottom * 2 ** (reach * np.linspace(0, 1, FILTER_ROWS)), FILTER_TOP)
        x = 1j * hertz * number[None] / np.maximum(cutoffs, 60.0)[:, None]
        # Two poles with resonance, then two without: 24 dB an octave
        return rows(wave / ((1 + 2 * (1 - self.resonance) * x + x * x) * (1 + x)))

    def finish(self, audio: Floats) -> Floats:
        return audio


def lead(rng: np.random.Generator) -> Analog:
    """A bright line: one to three oscillators, quick attack."""
    square, cutoff = bool(rng.random() < 0.45), float(np.exp(rng.uniform(6.3, 8.6)))
    count, glow = int(rng.integers(1, 4)), float(rng.uniform(0.1, 0.8))
    words = ["square lead" if square else "saw lead", "analog lead", "synth lead"]
    words.append("bright" if cutoff > 2000 else "dark")
    if count > 1:
        words.append("detuned")
    if glow > 0.6:
        words.append("resonant")
    return Analog(
        tuple(words), float(rng.uniform(0.04, 0.25)), float(rng.uniform(0.2, 0.5)) * square,
        _detunes(rng, count, 14), float(rng.uniform(0, 0.5)), cutoff, float(rng.uniform(0, 3.5)),
        float(rng.uniform(0.08, 0.7)), glow, float(rng.choice((0.002, 0.005, 0.02))),
        0.5, float(rng.uniform(0.5, 1)), float(rng.choice((0, 0, 8, 18))), 0.0,
    )  # fmt: skip


def pad(rng: np.random.Generator) -> Analog:
    """A slow, wide bed of sound."""
    cutoff, attack = float(np.exp(rng.uniform(5.6, 7.6))), float(rng.uniform(0.06, 0.5))
    words = ["analog pad", "synth pad", "warm" if cutoff < 800 else "bright"]
    words += ["slow"] if attack > 0.3 else ["soft"]
    return Analog(
        tuple(words), float(rng.uniform(0.5, 1.8)), float(rng.choice((0, 0, 0.3, 0.5))),
        _detunes(rng, 3, 18), float(rng.uniform(0.4, 0.9)), cutoff, float(rng.uniform(0, 2)),
        0.0, float(rng.uniform(0, 0.4)), attack, 3.0, 0.85, float(rng.choice((0, 6))), 0.0,
    )  # fmt: skip


def strings(rng: np.random.Generator) -> Analog:
    """A string machine: bright saws that beat against each other."""
    return Analog(
        ("string machine", "synth strings", "lush", "vintage"), float(rng.uniform(0.3, 0.9)), 0.0,
        _detunes(rng, 3, 12), float(rng.uniform(0.4, 0.8)), float(rng.uniform(1500, 4000)), 0.5,
        0.0, 0.05, float(rng.uniform(0.03, 0.15)), 2.0, 0.9, 7.0, 0.0,
    )  # fmt: skip


def bass(rng: np.random.Generator) -> Analog:
    """A low sound with a filter that closes."""
    square, cutoff = bool(rng.random() < 0.4), float(np.exp(rng.uniform(5.4, 7.2)))
    words = ["synth bass", "analog bass", "deep" if cutoff < 500 else "punchy"]
    return Analog(
        tuple(words), float(rng.uniform(0.04, 0.15)), 0.4 * square,
        _detunes(rng, int(rng.integers(1, 3)), 9), 0.0, cutoff, float(rng.uniform(1, 4)),
        float(rng.uniform(0.06, 0.4)), float(rng.uniform(0, 0.7)), 0.002,
        float(rng.uniform(0.3, 1.5)), float(rng.uniform(0.3, 1)), 0.0, float(rng.uniform(0, 0.6)),
    )  # fmt: skip


def _detunes(rng: np.random.Generator, count: int, cents: float) -> tuple[float, ...]:
    if count == 1:
        return (0.0,)
    span = rng.uniform(0.25, 1) * cents
    return tuple(float(x) for x in np.linspace(-span / 2, span / 2, count))
