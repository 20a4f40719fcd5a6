# SPDX-License-Identifier: GPL-3.0-or-later
"""Frequency modulation with two pairs of sine operators: electric pianos, bells, brass, basses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources.player import fade_in, frequency, seconds

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """A carrier and its modulator: frequency ratios, index and level with their decays (s)."""

    carrier: float
    modulator: float
    index: float
    index_decay: float
    level: float
    decay: float
    index_floor: float = 0.0  # part of the index that stays


@dataclass(frozen=True)
class Fm:
    """A patch: see `Voice`. `rise` is the attack of level and index; `sustain` the level kept."""

    words: tuple[str, ...]
    release: float
    pairs: tuple[Pair, ...]
    rise: float
    sustain: float
    vibrato: float
    hardness_index: float  # how much harder playing raises the index

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        hertz, t = frequency(pitch), seconds(samples)
        brighter = (1 - self.hardness_index) + self.hardness_index * hardness / 0.75
        softer = min(1.0, 1500 / hertz) ** 0.5  # high notes alias and shriek otherwise
        shorter = 2 ** ((60 - pitch) / 24)
        rise = np.minimum(1, t / self.rise) if self.rise else np.float32(1)
        cycle = 2 * np.pi * ((np.arange(samples) * (hertz / 48_000)) % 1e6)
        if self.vibrato:
            depth = np.float32(self.vibrato / 1200 * np.log(2) * hertz / 5.2)
            cycle = cycle + depth * (1 - np.cos(2 * np.pi * 5.2 * t)) * np.minimum(1, t / 0.5)
        out = np.zeros(samples, np.float32)
        for pair in self.pairs:
            level = pair.level * (
                self.sustain + (1 - self.sustain) * np.exp(-t / (pair.decay * shorter))
            )
            falling = np.exp(-t / (pair.index_decay * shorter))
            index = pair.index * brighter * softer * rise
            index = index * (pair.index_floor + (1 - pair.index_floor) * falling)
            if hertz * pair.modulator > 12_000:
                index = index * 0
            turn = index * np.sin(_wrapped(cycle * pair.modulator))
            out += level * np.sin(_wrapped(cycle * pair.carrier) + turn)
        return fade_in(out * rise, 48)

    def finish(self, audio: Floats) -> Floats:
        return audio


def _wrapped(angle: NDArray[np.float64]) -> Floats:
    turns = angle * (1 / (2 * np.pi))
    return ((turns - np.floor(turns)) * (2 * np.pi)).astype(np.float32)


def electric_piano(rng: np.random.Generator) -> Fm:
    """Tine and body."""
    index, tine = float(rng.uniform(0.5, 2.2)), float(rng.uniform(0.1, 0.5))
    words = ["fm electric piano", "electric piano", "dx electric piano"]
    words.append("bright" if index > 1.4 else "mellow")
    body = Pair(1, 1, index, 0.9, 1.0, float(rng.uniform(1.2, 2.8)), 0.15)
    top = Pair(1, float(rng.choice((13, 14, 9, 7))), tine * 2, 0.12, 0.45, 0.8)
    return Fm(tuple(words), float(rng.uniform(0.1, 0.3)), (body, top), 0.0, 0.0, 0.0, 0.8)


def bells(rng: np.random.Generator) -> Fm:
    """Inharmonic, ringing."""
    ratio = float(rng.choice((1.4, 3.5, 2.76, 5.4, 3.0)))
    index, ring = float(rng.uniform(0.8, 3.0)), float(rng.uniform(0.8, 2.5))
    words = ["fm bells", "bells", "bright" if index > 2 else "soft", "digital"]
    strike = Pair(1, ratio, index, ring * 0.6, 1.0, ring)
    hum = Pair(1, 1, 0.3, 0.5, 0.4, ring * 1.5)
    return Fm(tuple(words), float(rng.uniform(0.4, 1.2)), (strike, hum), 0.0, 0.0, 0.0, 0.6)


def brass(rng: np.random.Generator) -> Fm:
    """Brighter as it swells."""
    index = float(rng.uniform(1.8, 4.0))
    words = ("fm brass", "synth brass", "bold" if index > 3 else "smooth")
    first = Pair(1, 1, index, 0.5, 1.0, 1.0, 0.7)
    second = Pair(1, 1.003, index * 0.6, 0.5, 0.5, 1.0, 0.7)
    rise = float(rng.uniform(0.02, 0.07))
    return Fm(words, float(rng.uniform(0.08, 0.2)), (first, second), rise, 0.85, 6.0, 0.7)


def bass(rng: np.random.Generator) -> Fm:
    """Short and hard."""
    pair = Pair(
        1, float(rng.choice((1, 2, 0.5))), float(rng.uniform(1, 4)), float(rng.uniform(0.08, 0.4)),
        1.0, float(rng.uniform(0.5, 1.5)), 0.1,
    )  # fmt: skip
    return Fm(("fm bass", "synth bass", "digital"), 0.08, (pair,), 0.0, 0.2, 0.0, 0.7)


def lead(rng: np.random.Generator) -> Fm:
    """A clear, held line."""
    index, ratio = float(rng.uniform(0.6, 2.5)), float(rng.choice((1, 2, 3)))
    pair = Pair(1, ratio, index, 0.4, 1.0, 1.0, 0.6)
    return Fm(("fm lead", "synth lead", "digital"), 0.12, (pair,), 0.004, 0.8, 9.0, 0.6)
