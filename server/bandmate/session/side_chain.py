# SPDX-License-Identifier: GPL-3.0-or-later
"""The last seconds of a session's side chain, to make a style of or to go on from."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError
from bandmate.models.interface import FrameSpec

SECONDS_KEPT = 28.0
SILENCE = 1e-4  # -80 dBFS: what is never louder is nothing


class InputError(BandmateError):
    """There is not enough input. The message says what to do."""


class InputHistory:
    """Frames of the side chain as they come. Inference thread only, as `Session`."""

    def __init__(self, spec: FrameSpec) -> None:
        self._spec = spec
        count = int(SECONDS_KEPT * spec.sample_rate / spec.frame_samples)
        self._frames: deque[NDArray[np.float32]] = deque(maxlen=count)
        self._next = (0, 0)

    def add(self, epoch: int, index: int, samples: NDArray[np.float32]) -> None:
        """Takes a frame [F, channels]. One that was left out before it counts as silence."""
        if self._next[0] == epoch and index > self._next[1] and self._frames:
            missing = min(index - self._next[1], self._frames.maxlen or 0)
            self._frames.extend([np.zeros_like(samples)] * missing)
        self._next = (epoch, index + 1)
        self._frames.append(samples)

    def latest(self, seconds: float) -> list[NDArray[np.float32]]:
        """The frames of the last seconds; joining them is left to a thread with time."""
        count = max(1, round(seconds * self._spec.sample_rate / self._spec.frame_samples))
        return list(self._frames)[-count:]


def joined(
    frames: list[NDArray[np.float32]], spec: FrameSpec, seconds: float
) -> NDArray[np.float32]:
    """Frames from `InputHistory.latest` as one sound [samples, channels]. Any thread.

    Raises:
        InputError: they are fewer than asked for, or silent.
    """
    if not frames:
        raise InputError(
            "Nothing comes in through the side chain. Route a track to Bandmate's side-chain input."
        )
    audio = np.concatenate(frames)
    have = len(audio) / spec.sample_rate
    if have < seconds - spec.frame_samples / spec.sample_rate:
        raise InputError(
            f"Only {have:.1f} s have come in through the side chain, {seconds:.1f} s are needed. "
            "Let it play on, or ask for less."
        )
    if np.abs(audio).max() < SILENCE:
        raise InputError("The side chain was silent. Play something on the track routed to it.")
    return audio
