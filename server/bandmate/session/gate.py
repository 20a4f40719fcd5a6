# SPDX-License-Identifier: GPL-3.0-or-later
"""MIDI gate: the sound fades in while notes are held and fades out when none is.

The gate is drawn over stream time, sample by sample, and applied D samples later, where the model's
delay puts that moment's sound. It depends on the events alone, so a render and a live take agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ATTACK_SECONDS = 0.005  # to 99 %: short enough to keep an onset, long enough not to click
RELEASE_SECONDS = 0.5  # to 1 %: a struck string's end rather than a cut
_DECADES = float(np.log(100.0))  # a one-pole has done 99 % after this many time constants
_NEAR = 1e-4  # -80 dB: this near to its target the gate is there


class MidiGate:
    """One session's gate envelope. Switched off it is open."""

    def __init__(self, sample_rate: int, frame_samples: int, delay_samples: int) -> None:
        """A gate that is switched off, at the start of an epoch."""
        self._frame_samples = frame_samples
        self._delay = delay_samples
        self._attack = _DECADES / (ATTACK_SECONDS * sample_rate)
        self._release = _DECADES / (RELEASE_SECONDS * sample_rate)
        self.start(enabled=False)

    def start(self, *, enabled: bool) -> None:
        """Begins an epoch; events of time 0 still decide from which level."""
        self._changes: list[tuple[int, bool, bool]] = []
        self._enabled = enabled
        self._target = 0.0 if enabled else 1.0
        self._level: float | None = None
        self._late = np.zeros(0, np.float32)  # gains of the last D samples of stream time

    def move(self, offset: int, *, enabled: bool, sounding: bool) -> None:
        """From `offset` samples into the frame on; calls come in order of offset."""
        self._changes.append((offset, enabled, sounding))

    def frame(self) -> NDArray[np.float32]:
        """Ends the frame: gains [F] of the samples the model puts out in it."""
        gains = np.empty(self._frame_samples, np.float32)
        position = 0
        for offset, enabled, sounding in self._changes:
            gains[position:offset] = self._segment(offset - position)
            position = max(position, offset)
            self._enabled = enabled
            self._target = 1.0 if sounding or not enabled else 0.0
        self._changes.clear()
        gains[position:] = self._segment(self._frame_samples - position)
        if self._delay == 0:
            return gains
        line = np.concatenate((self._late, gains))
        self._late = line[self._frame_samples :]
        return line[: self._frame_samples]

    def _segment(self, length: int) -> NDArray[np.float64]:
        """Gains [length] from the present level towards the target."""
        if length <= 0:
            return np.zeros(0)
        if self._level is None:
            # The first sample of the epoch: a gated session comes out of silence.
            self._level = 0.0 if self._enabled else 1.0
            self._late = np.full(self._delay, self._level, np.float32)
        if self._level == self._target:
            return np.full(length, self._target)
        rate = self._attack if self._target > self._level else self._release
        curve = self._target + (self._level - self._target) * np.exp(
            -rate * np.arange(1, length + 1)
        )
        curve[np.abs(curve - self._target) < _NEAR] = self._target
        self._level = float(curve[-1])
        return curve
