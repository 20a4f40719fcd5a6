# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes in ticks of 5 ms, and the rolls that tell the model of them.

Time zero of the notes is time zero of the audio. An onset's tick inside its 40 ms frame, one of
eight, is its phase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 48_000
TICK = 240  # samples
TICKS_PER_SECOND = SAMPLE_RATE // TICK
TICKS_PER_FRAME = 8
CLOSEST_STRIKES = 12  # ticks between two onsets of a pitch, so that a frame holds at most one
OFF, SOUNDING, ONSET = 0, 1, 4


@dataclass(frozen=True)
class Note:
    """A note in ticks: start <= t < end; velocity 1..127."""

    start: int
    end: int
    pitch: int
    velocity: int = 96


def without_collisions(notes: list[Note]) -> list[Note]:
    """A pitch sounds once at a time: a later note ends an earlier one of its pitch."""
    out: list[Note] = []
    last: dict[int, int] = {}
    for note in sorted(notes, key=lambda n: (n.start, n.pitch)):
        previous = last.get(note.pitch)
        if previous is not None:
            before = out[previous]
            if note.start - before.start < CLOSEST_STRIKES:
                continue
            if before.end > note.start - 2:
                out[previous] = Note(before.start, note.start - 2, before.pitch, before.velocity)
        last[note.pitch] = len(out)
        out.append(note)
    return out


def rolls(notes: list[Note], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """What sounds when, [frames, 128] uint8 each.

    Returns:
        (values, velocities): 0 off, 1 sounding, 4 + phase (0..7) at an onset; the MIDI velocity of
        the note that sounds, 0 where none does. An onset hides what sounds on in its frame. The
        frame in which a note ends is off already, as the server has it (session/notes.py).
    """
    values, velocities = np.zeros((frames, 128), np.uint8), np.zeros((frames, 128), np.uint8)
    ordered = sorted(
        (n for n in notes if n.start < frames * TICKS_PER_FRAME), key=lambda n: n.start
    )
    for note in ordered:
        first, end = note.start // TICKS_PER_FRAME, note.end // TICKS_PER_FRAME
        values[first:end, note.pitch] = SOUNDING
        velocities[first:end, note.pitch] = note.velocity
    for note in ordered:
        first, phase = divmod(note.start, TICKS_PER_FRAME)
        values[first, note.pitch] = ONSET + phase
        velocities[first, note.pitch] = note.velocity
    return values, velocities
