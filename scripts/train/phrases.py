# SPDX-License-Identifier: GPL-3.0-or-later
"""Random music for training: phrases, chords, arpeggios, textures and drum grooves.

Times are in hops (10 ms). Onsets lie on hops so that the phase of an onset inside its frame, one
of four, tells the model all there is to know about its time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sounds import Style

HOPS_PER_SECOND = 100
SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 7, 9),
    (0, 3, 5, 7, 10),
    tuple(range(12)),
)
KICK, SNARE, CLOSED_HAT, OPEN_HAT, CRASH, RIDE = 36, 38, 42, 46, 49, 51
TOMS = (41, 43, 45, 47, 48, 50)


@dataclass(frozen=True)
class Note:
    """A note in hops: start <= t < end."""

    start: int
    end: int
    pitch: int


def _scale(rng: np.random.Generator, style: Style) -> list[int]:
    steps, root = SCALES[rng.integers(len(SCALES))], int(rng.integers(12))
    return [p for p in range(style.low, style.high + 1) if (p - root) % 12 in steps]


def _length(rng: np.random.Generator, beat: float) -> int:
    values, weights = (0.25, 0.5, 1.0, 2.0, 4.0), (0.15, 0.35, 0.3, 0.15, 0.05)
    return max(8, round(beat * rng.choice(values, p=weights)))


def melody(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """A line of single notes, mostly by step, with leaps, rests and repeats."""
    scale = _scale(rng, style)
    at, place, notes = int(rng.integers(0, 60)), int(rng.integers(len(scale))), []
    while at < hops - 10:
        length = _length(rng, beat)
        if rng.random() < 0.12:
            at += length
            continue
        step = rng.choice((-2, -1, 0, 1, 2)) if rng.random() < 0.8 else rng.integers(-7, 8)
        place = int(np.clip(place + step, 0, len(scale) - 1))
        held = max(6, round(length * rng.choice((0.5, 0.85, 0.97, 1.0))))
        notes.append(Note(at, min(at + held, hops), scale[place]))
        at += length
    return notes


def chords(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """Chords of two to five notes, now and then rolled."""
    scale = _scale(rng, style)
    at, notes = int(rng.integers(0, 60)), []
    while at < hops - 10:
        length = max(12, _length(rng, beat * 2))
        if rng.random() < 0.1:
            at += length
            continue
        root = int(rng.integers(max(1, len(scale) - 9)))
        places = {min(root + i, len(scale) - 1) for i in (0, 2, 4, 6, 8)[: rng.integers(2, 6)]}
        roll = int(rng.integers(1, 4)) if rng.random() < 0.12 else 0
        held = max(8, round(length * rng.choice((0.5, 0.85, 0.97, 1.0))))
        for number, place in enumerate(sorted(places)):
            start = at + number * roll
            notes.append(Note(start, min(max(at + held, start + 6), hops), scale[place]))
        at += length
    return notes


def arpeggio(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """Broken chords, notes ringing on or short."""
    scale = _scale(rng, style)
    step, at, notes = max(8, round(beat * rng.choice((0.25, 1 / 3, 0.5)))), 0, []
    ring = rng.choice((0.8, 1.0, 3.0))
    while at < hops - 10:
        root = int(rng.integers(max(1, len(scale) - 9)))
        shape = [min(root + i, len(scale) - 1) for i in (0, 2, 4, 7)]
        if rng.random() < 0.3:
            rng.shuffle(shape)
        for place in shape * int(rng.integers(1, 3)):
            if at >= hops - 10:
                break
            notes.append(Note(at, min(at + max(6, round(step * ring)), hops), scale[place]))
            at += step
    return notes


def texture(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """Melody over chords or a bass line, as two hands play."""
    middle = (style.low + style.high) // 2
    low = Style(style.name, style.programs, style.low, middle + 2, 0, ())
    high = Style(style.name, style.programs, middle - 2, style.high, 0, ())
    under = chords if rng.random() < 0.6 else melody
    return under(rng, low, hops, beat) + melody(rng, high, hops, beat)


def free(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """Notes anywhere: no scale, no metre. What a player's hands may do."""
    density = rng.uniform(0.5, 5.0)
    count = rng.poisson(density * hops / HOPS_PER_SECOND)
    starts = np.sort(rng.integers(0, hops - 10, count))
    spans = np.exp(rng.uniform(np.log(6), np.log(200), count)).astype(int)
    pitches = rng.integers(style.low, style.high + 1, count)
    return [
        Note(int(s), int(min(s + n, hops)), int(p))
        for s, n, p in zip(starts, spans, pitches, strict=True)
    ]


def groove(rng: np.random.Generator, style: Style, hops: int, beat: float) -> list[Note]:
    """A drum pattern on sixteenths with changes from bar to bar, or free hits."""
    if rng.random() < 0.25:
        return [Note(n.start, n.start + 8, n.pitch) for n in free(rng, style, hops, beat)]
    sixteenth = beat / 4
    kick = rng.random(16) < np.where(np.arange(16) % 4 == 0, 0.6, 0.15)
    snare = rng.random(16) < np.where(np.arange(16) % 8 == 4, 0.9, 0.06)
    hats = np.arange(16) % int(rng.choice((1, 2, 4))) == 0
    cymbal = RIDE if rng.random() < 0.25 else CLOSED_HAT
    notes, slot = [], 0
    while True:
        at = round(slot * sixteenth)
        if at >= hops - 10:
            return notes
        in_bar, hits = slot % 16, []
        if in_bar == 0 and rng.random() < 0.15:
            hits.append(CRASH)
        if kick[in_bar] ^ (rng.random() < 0.04):
            hits.append(KICK)
        if snare[in_bar] ^ (rng.random() < 0.04):
            hits.append(int(rng.choice((SNARE, SNARE, 40, 37, 39))))
        if hats[in_bar]:
            hits.append(OPEN_HAT if rng.random() < 0.08 else cymbal)
        if in_bar >= 12 and rng.random() < 0.12:
            hits.append(int(rng.choice(TOMS)))
        notes += [Note(at, at + 8, p) for p in hits]
        slot += 1


def clip(rng: np.random.Generator, style: Style, hops: int) -> list[Note]:
    """Notes of one training clip; some clips hold long rests or nothing at all."""
    beat = HOPS_PER_SECOND * 60 / rng.uniform(60, 180)
    if style.drums:
        notes = groove(rng, style, hops, beat)
    else:
        kinds, weights = (melody, chords, arpeggio, texture, free), (0.30, 0.27, 0.12, 0.19, 0.12)
        if style.name in ("flute", "brass", "bass", "synth lead"):
            weights = (0.62, 0.12, 0.12, 0.04, 0.10)
        notes = kinds[rng.choice(5, p=weights)](rng, style, hops, beat)
    if rng.random() < 0.25:  # a hole of one to six seconds: tails and silence are music too
        hole = int(rng.integers(0, hops - 200))
        end = hole + int(rng.integers(100, 600))
        notes = [n for n in notes if not hole <= n.start < end]
    return _without_collisions(notes)


def _without_collisions(notes: list[Note]) -> list[Note]:
    """A pitch sounds once at a time: a later note ends an earlier one of its pitch."""
    out: list[Note] = []
    last: dict[int, int] = {}
    for note in sorted(notes, key=lambda n: (n.start, n.pitch)):
        previous = last.get(note.pitch)
        if previous is not None:
            before = out[previous]
            if note.start - before.start < 6:
                continue
            if before.end > note.start - 1:
                out[previous] = Note(before.start, note.start - 1, before.pitch)
        last[note.pitch] = len(out)
        out.append(note)
    return out


def roll(notes: list[Note], frames: int, hops_per_frame: int) -> np.ndarray:
    """Raw piano-roll values [frames, 128] uint8: 0 off, 1 sounding, 4 + phase at an onset."""
    values = np.zeros((frames, 128), np.uint8)
    for note in notes:
        first, phase = divmod(note.start, hops_per_frame)
        last = (note.end - 1) // hops_per_frame
        if first >= frames:
            continue
        values[first + 1 : last + 1, note.pitch] = 1
        values[first, note.pitch] = 4 + phase
    return values
