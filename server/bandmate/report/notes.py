# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes of a MIDI file as stretches of time, for measuring and drawing."""

from __future__ import annotations

from dataclasses import dataclass

from bandmate.session.events import EventKind
from bandmate.session.midi import MidiClip


@dataclass(frozen=True)
class Note:
    """A note's start and end in seconds from the file's start, and its MIDI pitch."""

    start: float
    end: float
    pitch: int


def notes_of(clip: MidiClip, sample_rate: int) -> list[Note]:
    """Pairs note-ons with note-offs; a note that is never released ends with the file.

    Args:
        clip: the file, read at `sample_rate`.
        sample_rate: in Hz.
    """
    held: dict[tuple[int, int], int] = {}
    notes: list[Note] = []

    def release(key: tuple[int, int], time: int) -> None:
        if key in held:
            notes.append(Note(held.pop(key) / sample_rate, time / sample_rate, key[1]))

    for event in clip.events:
        if event.kind in (EventKind.NOTE_ON, EventKind.NOTE_OFF):
            key = (event.channel, event.number)
            release(key, event.time)
            if event.kind is EventKind.NOTE_ON:
                held[key] = event.time
    for key in list(held):
        release(key, clip.length_samples)
    return sorted(notes, key=lambda note: (note.start, note.pitch))
