# SPDX-License-Identifier: GPL-3.0-or-later
"""Random music for training: phrases, chords, arpeggios and textures of pitched instruments.

Times are in ticks of 5 ms (see notes.py). Velocities, timing and pedal come after, in
performance.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from notes import TICKS_PER_SECOND, Note
from sounds import Style

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
    tuple(range(12)),
)
SLOWEST, FASTEST = 60, 180  # beats per minute
LAST_START = 20  # ticks before the end


@dataclass(frozen=True)
class Setting:
    """What the players of a clip agree on: length and beat in ticks, scale, range of pitches."""

    ticks: int
    beat: float
    root: int
    steps: tuple[int, ...]
    low: int
    high: int

    def scale(self) -> list[int]:
        return [p for p in range(self.low, self.high + 1) if (p - self.root) % 12 in self.steps]


def setting(rng: np.random.Generator, style: Style, ticks: int) -> Setting:
    """Draws tempo, key and range."""
    beat = TICKS_PER_SECOND * 60 / rng.uniform(SLOWEST, FASTEST)
    steps = SCALES[rng.integers(len(SCALES))]
    return Setting(ticks, beat, int(rng.integers(12)), steps, style.low, style.high)


def _length(rng: np.random.Generator, beat: float) -> int:
    values, weights = (0.25, 0.5, 1.0, 2.0, 4.0), (0.15, 0.35, 0.3, 0.15, 0.05)
    return max(16, round(beat * rng.choice(values, p=weights)))


def _held(rng: np.random.Generator, length: int) -> int:
    return max(12, round(length * rng.choice((0.5, 0.85, 0.97, 1.0))))


def melody(rng: np.random.Generator, s: Setting) -> list[Note]:
    """A line of single notes, mostly by step, with leaps, rests and repeats."""
    scale = s.scale()
    at, place, notes = int(rng.integers(0, 120)), int(rng.integers(len(scale))), []
    while at < s.ticks - LAST_START:
        length = _length(rng, s.beat)
        if rng.random() < 0.12:
            at += length
            continue
        step = rng.choice((-2, -1, 0, 1, 2)) if rng.random() < 0.8 else rng.integers(-7, 8)
        place = int(np.clip(place + step, 0, len(scale) - 1))
        notes.append(Note(at, min(at + _held(rng, length), s.ticks), scale[place]))
        at += length
    return notes


def chords(rng: np.random.Generator, s: Setting) -> list[Note]:
    """Chords of two to five notes, close or open, now and then rolled."""
    scale = s.scale()
    at, notes = int(rng.integers(0, 120)), []
    shape = (0, 2, 4, 6, 8) if rng.random() < 0.7 else (0, 4, 7, 9, 11)
    while at < s.ticks - LAST_START:
        length = max(24, _length(rng, s.beat * 2))
        if rng.random() < 0.1:
            at += length
            continue
        root = int(rng.integers(max(1, len(scale) - 9)))
        places = {min(root + i, len(scale) - 1) for i in shape[: rng.integers(2, 6)]}
        roll = int(rng.integers(1, 8)) if rng.random() < 0.15 else 0
        held = max(16, _held(rng, length))
        for number, place in enumerate(sorted(places)):
            start = at + number * roll
            notes.append(Note(start, min(max(at + held, start + 12), s.ticks), scale[place]))
        at += length
    return [n for n in notes if n.start < s.ticks - LAST_START]


def arpeggio(rng: np.random.Generator, s: Setting) -> list[Note]:
    """Broken chords, notes ringing on or short."""
    scale = s.scale()
    step, at, notes = max(16, round(s.beat * rng.choice((0.25, 1 / 3, 0.5)))), 0, []
    ring = rng.choice((0.8, 1.0, 3.0))
    while at < s.ticks - LAST_START:
        root = int(rng.integers(max(1, len(scale) - 9)))
        shape = [min(root + i, len(scale) - 1) for i in (0, 2, 4, 7)]
        if rng.random() < 0.3:
            rng.shuffle(shape)
        for place in shape * int(rng.integers(1, 3)):
            if at >= s.ticks - LAST_START:
                break
            end = min(at + max(12, round(step * ring)), s.ticks)
            notes.append(Note(at, end, scale[place]))
            at += step
    return notes


def texture(rng: np.random.Generator, s: Setting) -> list[Note]:
    """Melody over chords or a bass line, as two hands play."""
    middle = (s.low + s.high) // 2
    under = chords if rng.random() < 0.6 else melody
    return under(rng, replace(s, high=middle + 2)) + melody(rng, replace(s, low=middle - 2))


def free(rng: np.random.Generator, s: Setting) -> list[Note]:
    """Notes anywhere: no scale, no metre. What a player's hands may do."""
    count = rng.poisson(rng.uniform(0.5, 5.0) * s.ticks / TICKS_PER_SECOND)
    starts = np.sort(rng.integers(0, s.ticks - LAST_START, count))
    spans = np.exp(rng.uniform(np.log(12), np.log(400), count)).astype(int)
    pitches = rng.integers(s.low, s.high + 1, count)
    return [
        Note(int(a), int(min(a + n, s.ticks)), int(p))
        for a, n, p in zip(starts, spans, pitches, strict=True)
    ]


def held(rng: np.random.Generator, s: Setting) -> list[Note]:
    """Single notes and chords of a few seconds, to be heard to their end."""
    at, notes = int(rng.integers(0, 120)), []
    while at < s.ticks - LAST_START:
        length = round(float(np.exp(rng.uniform(np.log(150), np.log(1600)))))
        pitches = rng.integers(s.low, s.high + 1, rng.choice((1, 1, 2, 3, 4)))
        notes += [Note(at, min(at + length, s.ticks), int(p)) for p in set(pitches)]
        at += length + int(rng.integers(0, 400))
    return notes


Kind = Callable[[np.random.Generator, Setting], list[Note]]
KINDS: tuple[Kind, ...] = (melody, chords, arpeggio, texture, free, held)
WEIGHTS = {
    "comp": (0.20, 0.34, 0.12, 0.19, 0.08, 0.07),
    "line": (0.58, 0.12, 0.11, 0.05, 0.08, 0.06),
    "bass": (0.71, 0.02, 0.12, 0.02, 0.08, 0.05),
}


def pitched(rng: np.random.Generator, s: Setting, role: str) -> list[Note]:
    """One instrument's notes, in the way of its role (see `Style.role`)."""
    return KINDS[rng.choice(len(KINDS), p=WEIGHTS[role])](rng, s)
