# SPDX-License-Identifier: GPL-3.0-or-later
"""From written notes to played ones: dynamics, human timing, pedal, and rests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from notes import TICKS_PER_SECOND, Note, without_collisions
from phrases import LAST_START, Setting

PLAIN_VELOCITY = 96
CONSTANT = 0.40  # of the clips are as loud as a sequencer's default throughout
JITTERED = 0.45
PEDALLED = 0.25  # of the clips of instruments that have a pedal
HOLED, ENDED, EMPTY = 0.22, 0.08, 0.015


def dynamics(rng: np.random.Generator, notes: list[Note], s: Setting) -> list[Note]:
    """Velocities about a base level of the clip, with accents and slow swells."""
    if rng.random() < CONSTANT:
        return [replace(n, velocity=PLAIN_VELOCITY) for n in notes]
    base, spread = rng.uniform(40, 120), rng.uniform(0, 10)
    accent = rng.uniform(0, 22) if rng.random() < 0.6 else 0.0
    points = np.linspace(0, s.ticks, int(rng.integers(2, 7)))
    swell = rng.uniform(-28, 28, len(points)) if rng.random() < 0.5 else np.zeros(len(points))
    out = []
    for note in notes:
        on_beat = abs(note.start / s.beat - round(note.start / s.beat)) < 0.08
        level = base + np.interp(note.start, points, swell) + rng.normal(0, spread)
        level += accent if on_beat else 0.0
        level += 0.6 * (note.velocity - PLAIN_VELOCITY)  # accents a groove was written with
        out.append(replace(note, velocity=int(np.clip(round(level), 12, 127))))
    return out


def human(rng: np.random.Generator, notes: list[Note], s: Setting) -> list[Note]:
    """Moves onsets a little off the grid; notes struck together stay nearly together."""
    together, alone = rng.uniform(0.5, 3.0), rng.uniform(0.2, 1.2)
    moves: dict[int, float] = {}
    out = []
    for note in notes:
        move = moves.setdefault(note.start, rng.normal(0, together)) + rng.normal(0, alone)
        start = int(np.clip(round(note.start + move), 0, s.ticks - LAST_START))
        out.append(replace(note, start=start, end=max(note.end, start + 12)))
    return out


def pedal(rng: np.random.Generator, notes: list[Note], s: Setting) -> list[Note]:
    """Notes sound on until the pedal changes, every bar or half bar."""
    span = s.beat * rng.choice((2, 4))
    out = []
    for note in notes:
        lift = round((note.start // span + 1) * span) - 4
        out.append(replace(note, end=min(max(note.end, lift), s.ticks)))
    return out


def rests(rng: np.random.Generator, notes: list[Note], s: Setting) -> list[Note]:
    """A hole of one to six seconds, or an early end: tails and silence are music too."""
    if rng.random() < HOLED:
        hole = int(rng.integers(0, s.ticks - 2 * TICKS_PER_SECOND))
        end = hole + int(rng.integers(TICKS_PER_SECOND, 6 * TICKS_PER_SECOND))
        notes = [n for n in notes if not hole <= n.start < end]
    if rng.random() < ENDED:
        end = int(rng.integers(s.ticks // 3, s.ticks))
        notes = [replace(n, end=min(n.end, end)) for n in notes if n.start < end - LAST_START]
    return [] if rng.random() < EMPTY else notes


def perform(
    rng: np.random.Generator, notes: list[Note], s: Setting, jitter: bool, has_pedal: bool
) -> list[Note]:
    """Everything between the page and the sound; no pitch overlaps itself in the result."""
    if jitter:
        notes = human(rng, notes, s)
    if has_pedal and rng.random() < PEDALLED:
        notes = pedal(rng, notes, s)
    return without_collisions(dynamics(rng, notes, s))
