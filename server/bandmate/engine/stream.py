# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine needs of a stream, and the offline stream that needs no wire."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bandmate.engine.overload import LiveStream, NeverRests
from bandmate.errors import BandmateError
from bandmate.models.interface import FrameControls


class StreamFailedError(BandmateError):
    """A stream that was ended because a frame of it went wrong."""


class Stream(LiveStream, Protocol):
    """One sequence of frames. All methods are called on the inference thread."""

    def ready(self) -> bool:
        """Whether the next frame's input is complete and there is room for its sound."""
        ...

    def imminent(self) -> bool:
        """Whether that is about to be so: worth a very short wait to share a batch."""
        ...

    @property
    def is_patient(self) -> bool:
        """Whether nobody hears it now: its frames may wait for those of others."""
        ...

    def due_seconds(self) -> float:
        """About how soon the next frame's input is complete; negative if it should be by now."""
        ...

    def take(self) -> tuple[FrameControls, Any]:
        """The next frame's conditioning and the model state it starts from (None: fresh)."""
        ...

    def deliver(self, audio: NDArray[np.float32], state: Any, milliseconds: float) -> None:
        """Hands over the frame [F, channels], the new model state and how long the step took."""
        ...

    def fail(self, reason: str) -> None:
        """The stream has been taken out of the engine; `reason` is one line for the user."""
        ...


class FrameMaker(Protocol):
    """The part of a session that an offline stream drives."""

    state: Any

    def controls(self) -> FrameControls:
        """The next frame's conditioning."""
        ...

    def finish(self, audio: NDArray[np.float32], state: Any) -> NDArray[np.float32]:
        """The frame as heard."""
        ...


class OfflineStream(NeverRests):
    """A known number of frames, as fast as the machine can.

    Attributes:
        done: its result is None after the last frame; it holds the error if there was one.
    """

    def __init__(
        self, frames: FrameMaker, count: int, sink: Callable[[NDArray[np.float32]], None]
    ) -> None:
        """Args:
        frames: makes the conditioning.
        count: frames to make.
        sink: takes each frame [F, channels], on the inference thread.
        """
        self._frames = frames
        self._left = count
        self._sink = sink
        self.done: Future[None] = Future()
        if count <= 0:
            self.done.set_result(None)

    def ready(self) -> bool:
        return self._left > 0

    def imminent(self) -> bool:
        return False

    @property
    def is_patient(self) -> bool:
        return True

    def due_seconds(self) -> float:
        return 0.0

    def take(self) -> tuple[FrameControls, Any]:
        return self._frames.controls(), self._frames.state

    def deliver(self, audio: NDArray[np.float32], state: Any, milliseconds: float) -> None:
        heard = self._frames.finish(audio, state)
        try:
            self._sink(heard)
        except BandmateError as error:
            # The sink's own words (a full disk) are better than "the stream failed".
            self._left = 0
            self.done.set_exception(error)
            return
        self._left -= 1
        if self._left == 0:
            self.done.set_result(None)

    def fail(self, reason: str) -> None:
        self._left = 0
        if not self.done.done():
            self.done.set_exception(StreamFailedError(reason))
