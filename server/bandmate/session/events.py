# SPDX-License-Identifier: GPL-3.0-or-later
"""What can happen to a session, stamped with the model sample of its epoch."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class EventKind(Enum):
    """Kinds of events; the comment tells what `number` and `value` of an `Event` hold."""

    NOTE_ON = auto()  # pitch, velocity 1..127 (0 is taken as note off)
    NOTE_OFF = auto()  # pitch, -
    CONTROL = auto()  # controller number, value 0..127
    ALL_NOTES_OFF = auto()  # -, - (all channels)
    CHANNEL_NOTES_OFF = auto()  # -, -
    PITCH_BEND = auto()  # -, -1..1
    PARAMETER = auto()  # the `Parameter`, its value


class Event(NamedTuple):
    """One event.

    Attributes:
        time: model samples since the start of the epoch.
        kind: tells what the other fields hold.
        channel: MIDI channel 0..15.
        number: see `EventKind`.
        value: see `EventKind`.
    """

    time: int
    kind: EventKind
    channel: int = 0
    number: int = 0
    value: float = 0.0
