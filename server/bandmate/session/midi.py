# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard MIDI files as session events."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mido

from bandmate.errors import BandmateError
from bandmate.session.events import Event, EventKind

BEND_MAXIMUM = 8191
DEFAULT_TEMPO = 500_000  # microseconds a beat until the file says otherwise, by the standard


class MidiFileError(BandmateError):
    """A file that cannot be read as MIDI."""


@dataclass(frozen=True)
class MidiClip:
    """A MIDI file on a model's time line.

    Attributes:
        events: in order of time; times are samples from the file's time 0.
        length_samples: the latest event's time, end-of-track marks included.
        note_count: note-ons.
    """

    events: tuple[Event, ...]
    length_samples: int
    note_count: int


def read_midi(path: Path, sample_rate: int) -> MidiClip:
    """Reads a MIDI file of type 0 or 1, all tracks merged.

    Args:
        path: the file.
        sample_rate: the rate of the samples that events are stamped with, in Hz.

    Raises:
        MidiFileError: the file is missing, is no MIDI file, is cut short or of type 2.
    """
    try:
        file = mido.MidiFile(path, clip=True)
        if file.type == 2:
            raise MidiFileError(f"{path} is a MIDI file of type 2. Save it as type 0 or 1.")
        if file.ticks_per_beat <= 0:
            raise MidiFileError(
                f"{path} counts time in SMPTE frames. Save it with beats and tempo."
            )
        messages = mido.merge_tracks(file.tracks)
    except MidiFileError:
        raise
    except OSError as error:
        if error.strerror:
            raise MidiFileError(f"{path} cannot be read: {error.strerror}.") from error
        raise MidiFileError(f"{path} is not a MIDI file ({error}). Export it again.") from error
    except Exception as error:  # the parser lets through whatever broken bytes lead to
        detail = str(error) or type(error).__name__
        raise MidiFileError(f"{path} is not a MIDI file ({detail}). Export it again.") from error

    # Exact arithmetic: rounding once per event, never once per step, keeps long files in time.
    samples_per_tick = Fraction(DEFAULT_TEMPO * sample_rate, 1_000_000 * file.ticks_per_beat)
    position = Fraction(0)
    events: list[Event] = []
    for message in messages:
        position += message.time * samples_per_tick
        if message.type == "set_tempo":
            samples_per_tick = Fraction(
                message.tempo * sample_rate, 1_000_000 * file.ticks_per_beat
            )
        elif event := event_of(message, round(position)):
            events.append(event)
    notes = sum(event.kind is EventKind.NOTE_ON for event in events)
    return MidiClip(tuple(events), round(position), notes)


def event_of(message: mido.Message, time: int) -> Event | None:
    """The event of a MIDI message at a sample; None if it steers no model."""
    if message.type == "note_on" and message.velocity > 0:
        return Event(time, EventKind.NOTE_ON, message.channel, message.note, message.velocity)
    if message.type in ("note_on", "note_off"):
        return Event(time, EventKind.NOTE_OFF, message.channel, message.note)
    if message.type == "control_change":
        return Event(time, EventKind.CONTROL, message.channel, message.control, message.value)
    if message.type == "pitchwheel":
        bend = message.pitch / (BEND_MAXIMUM if message.pitch > 0 else BEND_MAXIMUM + 1)
        return Event(time, EventKind.PITCH_BEND, message.channel, 0, bend)
    return None
