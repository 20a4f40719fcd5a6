# SPDX-License-Identifier: GPL-3.0-or-later
"""The test tone: no network, exact sound at the notes' own samples.

Each note starts with one sample at `CLICK_LEVEL`, then holds a sine at its pitch, which is never
louder than `SINE_LEVEL`: the loudest sample near a note is its onset, also after resampling. Every
sample depends only on its stream time and on the notes, so a frame missed or played twice shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import Bundle
from bandmate.models.interface import FrameControls, FrameSpec

CLICK_LEVEL = 0.5
SINE_LEVEL = 0.2
RELEASE_SECONDS = 0.005


@dataclass(frozen=True)
class Voice:
    """One sounding note. Times are stream samples of the epoch.

    Attributes:
        pitch: MIDI pitch.
        start: sample of the onset.
        end: sample where the release begins, None while held.
    """

    pitch: int
    start: int
    end: int | None = None


State = tuple[Voice, ...]


class TestTone:
    """Implements `interface.Model`; the state is the tuple of sounding voices."""

    __test__ = False  # the name says Test, but it is no test case

    def __init__(self, spec: FrameSpec) -> None:
        self.spec = spec
        self._release = max(1, round(RELEASE_SECONDS * spec.sample_rate))

    def init_state(self) -> State:
        """Silence."""
        return ()

    def step(
        self, controls: Sequence[FrameControls], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        """One frame [F, channels] for each session; see `interface.Model`."""
        frames, after = [], []
        for control, state in zip(controls, states, strict=True):
            frame, voices = self._frame(control, state)
            frames.append(frame)
            after.append(voices)
        return frames, after

    def _frame(self, control: FrameControls, state: State) -> tuple[NDArray[np.float32], State]:
        length = self.spec.frame_samples
        begin = control.frame_index * length
        voices = self._play(state, control, begin)
        mono = np.zeros(length, dtype=np.float64)
        for voice in voices:
            self._add(mono, voice, begin)
        after = tuple(v for v in voices if v.end is None or v.end + self._release > begin + length)
        clipped = np.clip(mono, -1.0, 1.0).astype(np.float32)
        return np.repeat(clipped[:, None], self.spec.channels, axis=1), after

    def _play(self, state: State, control: FrameControls, begin: int) -> list[Voice]:
        voices = list(state)
        for note in control.events:
            at = begin + note.offset_samples
            # A re-onset ends the old voice too; the new one has its own click.
            for i, voice in enumerate(voices):
                if voice.pitch == note.pitch and voice.end is None:
                    voices[i] = replace(voice, end=at)
            if note.velocity > 0:
                voices.append(Voice(note.pitch, at))
        return voices

    def _add(self, mono: NDArray[np.float64], voice: Voice, begin: int) -> None:
        first = max(voice.start, begin)
        last = begin + len(mono)
        if voice.end is not None:
            last = min(last, voice.end + self._release)
        if first >= last:
            return
        stream = np.arange(first, last)
        age = stream - voice.start
        frequency = 440.0 * 2.0 ** ((voice.pitch - 69) / 12.0)
        sound = SINE_LEVEL * np.sin(
            2.0 * np.pi * ((age * (frequency / self.spec.sample_rate)) % 1.0)
        )
        sound[age == 0] = CLICK_LEVEL
        if voice.end is not None:
            sound *= np.clip(1.0 - (stream - voice.end) / self._release, 0.0, 1.0)
        mono[first - begin : last - begin] += sound


def load(bundle: Bundle, precision: str) -> tuple[TestTone, None]:
    """The model of a checked bundle; it has no styles, and no weights to hold in a precision."""
    return TestTone(bundle.frame), None
