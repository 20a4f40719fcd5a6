# SPDX-License-Identifier: GPL-3.0-or-later
"""Pitch bend for a model that knows semitones: a bent note glides in steps of one.

Each channel bends its own keys, as MPE wants it. The range is 2 semitones until the controller says
otherwise: registered parameter 0 sets a channel's, and 6, with which an MPE controller introduces
itself, sets its members' to 48.
"""

from __future__ import annotations

from typing import Protocol

from bandmate.models.interface import PITCHES

CHANNELS = 16
RANGE_SEMITONES = 2
RANGE_MAXIMUM = 96
MPE_RANGE_SEMITONES = 48
STEP = 0.6  # semitones from where it is: a bend halfway between two does not flutter

CC_DATA = 6
CC_RPN_LOW, CC_RPN_HIGH = 100, 101
CC_RESET_CONTROLLERS = 121
RPN_BEND_RANGE = 0
RPN_MPE = 6
RPN_NONE = 127 * 128 + 127


class Keys(Protocol):
    """Where the bent notes go: the note tracker."""

    def note_on(self, channel: int, pitch: int, velocity: int, offset: int) -> None: ...

    def note_off(self, channel: int, pitch: int, offset: int) -> None: ...


class PitchBend:
    """The bends of one session, before its note tracker. Takes channels and pitches of MIDI only.

    What is held here is what the keys hold: every note on that is passed on gets its note off.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.clear()

    def clear(self) -> None:
        """Forgets keys, bends and ranges: whoever begins a stream anew tells what is in force."""
        self._ranges = [RANGE_SEMITONES] * CHANNELS
        self._steps = [0] * CHANNELS
        self._bends = [0.0] * CHANNELS
        self._rpn = [RPN_NONE] * CHANNELS
        # By channel: key -> (the pitch that sounds, velocity)
        self._held: list[dict[int, tuple[int, int]]] = [{} for _ in range(CHANNELS)]

    def note_on(self, channel: int, pitch: int, velocity: int, offset: int) -> None:
        """A key goes down; velocity 0 means note off."""
        if velocity <= 0:
            self.note_off(channel, pitch, offset)
            return
        sounding = pitch + self._steps[channel]
        before = self._held[channel].get(pitch)
        if before is not None and before[0] != sounding:
            self._keys.note_off(channel, before[0], offset)
        self._held[channel][pitch] = (sounding, velocity)
        if 0 <= sounding < PITCHES:
            self._keys.note_on(channel, sounding, velocity, offset)

    def note_off(self, channel: int, pitch: int, offset: int) -> None:
        """A key goes up."""
        if (held := self._held[channel].pop(pitch, None)) is not None:
            self._keys.note_off(channel, held[0], offset)

    def bend(self, channel: int, value: float, offset: int) -> None:
        """The wheel moves to -1..1; held notes are struck again where a semitone is passed."""
        self._bends[channel] = value
        target = value * self._ranges[channel]
        if abs(target - self._steps[channel]) < STEP:
            return
        self._steps[channel] = step = round(target)
        for pitch, (sounding, velocity) in list(self._held[channel].items()):
            if pitch + step != sounding:
                self._keys.note_off(channel, sounding, offset)
                self.note_on(channel, pitch, velocity, offset)

    def control(self, channel: int, controller: int, value: int, offset: int) -> None:
        """Ranges, and the reset of all controllers."""
        if controller == CC_RPN_HIGH:
            self._rpn[channel] = value * 128 + self._rpn[channel] % 128
        elif controller == CC_RPN_LOW:
            self._rpn[channel] = self._rpn[channel] // 128 * 128 + value
        elif controller == CC_DATA and self._rpn[channel] == RPN_BEND_RANGE:
            self._set_range(channel, value, offset)
        elif controller == CC_DATA and self._rpn[channel] == RPN_MPE and channel in (0, 15):
            for number in range(1, min(value, CHANNELS - 1) + 1):
                member = channel + number if channel == 0 else channel - number
                self._set_range(member, MPE_RANGE_SEMITONES, offset)
        elif controller == CC_RESET_CONTROLLERS:
            self.bend(channel, 0.0, offset)

    def release(self, channel: int | None = None) -> None:
        """All keys of a channel, or of all, are up; the tracker has been told."""
        for number in range(CHANNELS):
            if channel is None or channel == number:
                self._held[number].clear()

    def _set_range(self, channel: int, semitones: int, offset: int) -> None:
        self._ranges[channel] = min(semitones, RANGE_MAXIMUM)
        self.bend(channel, self._bends[channel], offset)
