# SPDX-License-Identifier: GPL-3.0-or-later
"""Note tracker: from MIDI events to the 128 pitch values of one frame's conditioning.

A pitch is in one of four states. An onset is latched until a frame has shown it, so a tap shorter
than a frame is one onset and off + on inside a frame is a new onset:

    event      IDLE    ONSET            SUSTAIN   ONSET_RELEASED
    note on    ONSET   ONSET            ONSET     ONSET
    release    IDLE    ONSET_RELEASED   IDLE      ONSET_RELEASED
    frame end  IDLE    SUSTAIN          SUSTAIN   IDLE            (the frame shows the old state)

Channels are merged: a pitch is released when no channel holds it by key or by pedal. Each channel
is one bit per pitch, not a count, so a doubled note on cannot leave a note stuck.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import (
    NOTE_EITHER,
    NOTE_MASKED,
    NOTE_OFF,
    NOTE_ONSET,
    NOTE_ONSET_PHASE_0,
    NOTE_SUSTAIN,
    PITCHES,
    StampedNote,
)
from bandmate.models.note_history import NoteHistory

CC_SUSTAIN = 64
CC_ALL_SOUND_OFF = 120
CC_RESET_CONTROLLERS = 121
CC_ALL_NOTES_OFF = 123
CC_LAST_MODE = 127  # 124..127 change the channel's mode, which also means all notes off
VELOCITY_MAXIMUM = 127
PEDAL_DOWN = 64  # controller values from here on mean "down"
UNMASK_ALL = 127  # this width tells the model about every pitch
REST_FRAMES = 8  # after its end a note counts as dying away for so long
CHANNELS = 16
ALL_CHANNELS = (1 << CHANNELS) - 1


class PitchState(IntEnum):
    """See the table above."""

    IDLE = 0
    ONSET = 1
    SUSTAIN = 2
    ONSET_RELEASED = 3


class NoteTracker:
    """Held notes of one session.

    `anew` says of the last frame that a note began or ended in it, or that one began in the frame
    before: an attack takes that long. `rests` says that nothing sounded in it or a while before,
    and that the model was told so of every pitch.

    Events outside the MIDI range are ignored: they can only come from a faulty sender.
    """

    def __init__(
        self,
        frame_samples: int,
        onset_phases: int = 0,
        velocity_levels: int = 1,
        history: NoteHistory | None = None,
    ) -> None:
        """Starts with nothing held.

        Args:
            frame_samples: F.
            onset_phases: parts of a frame that the model tells onsets apart by, 0 for none.
            velocity_levels: how many strengths of an onset it tells apart.
            history: what it is told of a note after its onset.
        """
        self._history = history or NoteHistory()
        self._frame_samples = frame_samples
        self._onset_phases = onset_phases
        self._velocity_levels = velocity_levels
        self.clear()

    def clear(self) -> None:
        """Forgets every note and pedal."""
        self._state = [PitchState.IDLE] * PITCHES
        self._onset_offset = [0] * PITCHES
        self._onset_velocity = [0] * PITCHES
        self._age = [0] * PITCHES  # frames since the onset's, or since the last in which it sounded
        self._ringing: set[int] = set()  # pitches that have ended not long ago
        self._keys = [0] * PITCHES  # channels that hold the pitch by key, one bit each
        self._pedalled = [0] * PITCHES  # channels whose pedal holds the pitch after its key
        self._pedals = 0  # channels whose sustain pedal is down
        self._stamped: list[StampedNote] = []
        self._last_active: list[int] = []
        self._had_onset = False
        self.anew = self.rests = False

    @property
    def sounding(self) -> bool:
        """Whether any pitch is held, by key or pedal, at this moment."""
        return any(
            keys or pedalled for keys, pedalled in zip(self._keys, self._pedalled, strict=True)
        )

    def note_on(self, channel: int, pitch: int, velocity: int, offset: int) -> None:
        """A key goes down `offset` samples into the frame; velocity 0 means note off."""
        if velocity <= 0:
            self.note_off(channel, pitch, offset)
            return
        if not (0 <= pitch < PITCHES and 0 <= channel < CHANNELS):
            return
        self._keys[pitch] |= 1 << channel
        self._pedalled[pitch] &= ~(1 << channel)
        if self._state[pitch] not in (PitchState.ONSET, PitchState.ONSET_RELEASED):
            # Of several onsets in one frame the first is told: nothing may sound before it.
            self._onset_offset[pitch] = offset
            self._onset_velocity[pitch] = min(velocity, VELOCITY_MAXIMUM)
        self._state[pitch] = PitchState.ONSET
        self._stamped.append(StampedNote(offset, pitch, min(velocity, VELOCITY_MAXIMUM)))

    def note_off(self, channel: int, pitch: int, offset: int) -> None:
        """A key goes up; the note goes on while its channel's pedal or another channel holds it."""
        if not (0 <= pitch < PITCHES and 0 <= channel < CHANNELS):
            return
        bit = 1 << channel
        if not self._keys[pitch] & bit:
            return
        self._keys[pitch] &= ~bit
        if self._pedals & bit:
            self._pedalled[pitch] |= bit
        self._release_if_free(pitch, offset)

    def control(self, channel: int, controller: int, value: int, offset: int) -> None:
        """A controller moves: the sustain pedal and the channel mode messages count."""
        if not 0 <= channel < CHANNELS:
            return
        bit = 1 << channel
        if controller == CC_SUSTAIN:
            if value >= PEDAL_DOWN:
                self._pedals |= bit
            else:
                self._lift_pedal(bit, offset)
        elif controller == CC_RESET_CONTROLLERS:
            self._lift_pedal(bit, offset)
        elif controller == CC_ALL_SOUND_OFF or CC_ALL_NOTES_OFF <= controller <= CC_LAST_MODE:
            self._release_channels(bit, offset)

    def all_notes_off(self, offset: int, channel: int | None = None) -> None:
        """Releases every note and pedal of one channel, or of all."""
        self._release_channels(ALL_CHANNELS if channel is None else 1 << channel, offset)

    def frame(
        self, *, strum: bool, unmask_width: int, early: bool = False
    ) -> tuple[NDArray[np.int32], tuple[StampedNote, ...]]:
        """Ends the frame.

        Args:
            strum: leave it to the model whether a sounding note is struck again.
            unmask_width: pitches at most this far from a sounding one are told to be off, the
                rest is left to the model; from 127 on every pitch is told.
            early: onsets begin with the frame, as soon as the model can sound them, and not at
                their own place in it. Models without onset phases always do.

        Returns:
            Raw note values int32 [128], and the frame's effective note events in order of time.
        """
        values = np.full(PITCHES, NOTE_OFF if unmask_width >= UNMASK_ALL else NOTE_MASKED, np.int32)
        active = [p for p in range(PITCHES) if self._state[p] is not PitchState.IDLE]
        has_onset = any(self._state[p] is not PitchState.SUSTAIN for p in active)
        self.anew = has_onset or self._had_onset or active != self._last_active
        self._last_active, self._had_onset = active, has_onset
        if unmask_width < UNMASK_ALL:
            for pitch in active:
                values[max(0, pitch - unmask_width) : pitch + unmask_width + 1] = NOTE_OFF
        for pitch in active:
            values[pitch] = self._value(pitch, strum, early)
            ends = self._state[pitch] is PitchState.ONSET_RELEASED
            self._state[pitch] = PitchState.IDLE if ends else PitchState.SUSTAIN
        if self._history.released:
            self._tell_ringing(values, active)
        dying = any(self._age[pitch] < REST_FRAMES for pitch in self._ringing)
        self.rests = not active and not dying and unmask_width >= UNMASK_ALL
        stamped, self._stamped = tuple(self._stamped), []
        return values, stamped

    def _tell_ringing(self, values: NDArray[np.int32], active: list[int]) -> None:
        """Says of pitches that have ended how long ago that was."""
        self._ringing.difference_update(active)
        for pitch in sorted(self._ringing):
            self._age[pitch] += 1
            value = int(self._history.released_value(self._age[pitch], self._onset_velocity[pitch]))
            if value == NOTE_OFF:
                self._ringing.discard(pitch)
            elif values[pitch] == NOTE_OFF:
                values[pitch] = value
        for pitch in active:
            if self._state[pitch] is PitchState.IDLE:  # a tap: it ends with its onset's frame
                self._end(pitch)

    def _end(self, pitch: int) -> None:
        self._age[pitch] = 0
        self._ringing.add(pitch)

    def _value(self, pitch: int, strum: bool, early: bool) -> int:
        if self._state[pitch] is PitchState.SUSTAIN:
            self._age[pitch] += 1
        else:
            self._age[pitch] = 0
        if strum:
            return NOTE_EITHER
        if self._state[pitch] is PitchState.SUSTAIN:
            if self._history.held == 0:
                return NOTE_SUSTAIN
            velocity = self._onset_velocity[pitch]
            return int(self._history.held_value(self._age[pitch], velocity))
        if self._onset_phases == 0:
            return NOTE_ONSET
        offset = 0 if early else self._onset_offset[pitch]
        phase = offset * self._onset_phases // self._frame_samples
        level = self._onset_velocity[pitch] * self._velocity_levels // (VELOCITY_MAXIMUM + 1)
        return NOTE_ONSET_PHASE_0 + level * self._onset_phases + phase

    def _release_if_free(self, pitch: int, offset: int) -> None:
        if self._keys[pitch] or self._pedalled[pitch]:
            return
        if self._state[pitch] is PitchState.ONSET:
            self._state[pitch] = PitchState.ONSET_RELEASED
        elif self._state[pitch] is PitchState.SUSTAIN:
            self._state[pitch] = PitchState.IDLE
            self._end(pitch)
        self._stamped.append(StampedNote(offset, pitch, 0))

    def _lift_pedal(self, channels: int, offset: int) -> None:
        self._pedals &= ~channels
        for pitch in range(PITCHES):
            if self._pedalled[pitch] & channels:
                self._pedalled[pitch] &= ~channels
                self._release_if_free(pitch, offset)

    def _release_channels(self, channels: int, offset: int) -> None:
        # The pedal goes up too: hosts send these when they stop, its own release may never come.
        self._pedals &= ~channels
        for pitch in range(PITCHES):
            if (self._keys[pitch] | self._pedalled[pitch]) & channels:
                self._keys[pitch] &= ~channels
                self._pedalled[pitch] &= ~channels
                self._release_if_free(pitch, offset)
