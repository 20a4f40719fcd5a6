# SPDX-License-Identifier: GPL-3.0-or-later
"""One session's shared memory as a stream of the engine: events in, frames out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate import _protocol as wire
from bandmate.engine.stream import Stream
from bandmate.errors import BandmateError
from bandmate.models.interface import FrameControls
from bandmate.session.events import Event, EventKind
from bandmate.session.parameters import Parameter
from bandmate.session.session import Session

MIDI_MAXIMUM = 127  # the wire carries velocities and controllers as 0..1
LATE_SECONDS = 1.0  # a live stream this far behind has missed the time of its frames
RECENT_FRAMES = 1000
BLOCKED_WAIT_SECONDS = 0.001

Record = tuple[int, int, int, int, float, int]  # a row of EVENT_DTYPE


class BrokenSegmentError(BandmateError):
    """The other side wrote counts that cannot be."""


def to_event(record: Record) -> Event | None:
    """A session's event from a legal record of the wire; None for kinds that steer no model."""
    time_, kind, channel, number, value, _ = record
    if kind == wire.EventType.NOTE_ON:
        velocity = max(1, round(value * MIDI_MAXIMUM))
        return Event(time_, EventKind.NOTE_ON, channel, number, velocity)
    if kind == wire.EventType.NOTE_OFF:
        return Event(time_, EventKind.NOTE_OFF, channel, number)
    if kind == wire.EventType.CONTROL:
        return Event(time_, EventKind.CONTROL, channel, number, round(value * MIDI_MAXIMUM))
    if kind == wire.EventType.ALL_NOTES_OFF:
        if channel == wire.ANY_CHANNEL:
            return Event(time_, EventKind.ALL_NOTES_OFF)
        return Event(time_, EventKind.CHANNEL_NOTES_OFF, channel)
    if kind == wire.EventType.PARAMETER:
        return Event(time_, EventKind.PARAMETER, 0, Parameter(number), value)
    return None


class SegmentStream:
    """Implements `engine.stream.Stream` over a segment. Inference thread only, but for `open`.

    Attributes:
        open: whether frames may be made; the link opens it when the prompts are in force.
        frames: frames made in all epochs.
        slow_frames: those that took longer than the budget.
        frame_ms: recent frame times in milliseconds.
    """

    def __init__(
        self,
        segment: wire.Segment,
        session: Session,
        budget_ms: float,
        on_fail: Callable[[str], None],
    ) -> None:
        """Args:
        segment: attached, of the session's frame shape.
        session: makes the conditioning.
        budget_ms: what a frame may cost.
        on_fail: told the reason when the stream is taken out of the engine.
        """
        self._segment = segment
        self._session = session
        self._budget_ms = budget_ms
        self._on_fail = on_fail
        self._epoch = 0
        self._until = 0
        self._block = 0  # samples by which `until` last rose
        self._flags = 0
        self._complete_at = 0.0  # monotonic time when the last frame's input was complete
        self.open = False
        self.frames = 0
        self.slow_frames = 0
        self.frame_ms: deque[float] = deque(maxlen=RECENT_FRAMES)

    def ready(self) -> bool:
        """Takes what the plugin has published; see `engine.stream.Stream`."""
        if not self.open:
            return False
        segment = self._segment
        if segment.is_broken:
            raise BrokenSegmentError("the plugin's shared memory is damaged; reload the plugin")
        published = segment.published()
        if published is None or not self._follow(published[0]):
            return False
        if published[1] != self._until:
            self._block = max(0, published[1] - self._until)
            self._until = published[1]
            self._read_events()
        if self._until < self._session.frame_end or segment.free_frames == 0:
            return False
        self._complete_at = time.monotonic()
        return True

    def imminent(self) -> bool:
        """Whether the plugin's next block completes the frame."""
        missing = self._session.frame_end - self._until
        return self.open and self._epoch != 0 and 0 < missing <= self._block

    @property
    def is_patient(self) -> bool:
        """A host that renders offline waits for its frames."""
        return bool(self._segment.is_offline)

    def due_seconds(self) -> float:
        """By the pace at which the last frame's input came."""
        spec = self._session.spec
        frame_seconds = spec.frame_samples / spec.sample_rate
        return self._complete_at + frame_seconds - time.monotonic()

    def target(self) -> tuple[wire.Segment, int, int] | None:
        """What to wait for on the segment; None when something else is missing."""
        if not self.open or self._epoch == 0 or self._until >= self._session.frame_end:
            return None
        return self._segment, self._epoch, self._session.frame_end

    def take(self) -> tuple[FrameControls, Any]:
        """The next frame that can still be heard."""
        self._skip_missed()
        return self._session.controls(), self._session.state

    def deliver(self, audio: NDArray[np.float32], state: Any, milliseconds: float) -> None:
        """Writes the frame into the ring, under the epoch and index it was made for."""
        index = self._session.frame_index
        heard = np.ascontiguousarray(self._session.finish(audio, state), np.float32)
        flags = self._flags | (0 if heard.any() else wire.FRAME_SILENCE)
        # `ready` saw a free slot and nobody else writes here; should it be gone the ring is broken.
        if not self._segment.write_frame(self._epoch, index, heard, flags):
            raise BrokenSegmentError("the plugin's shared memory is damaged; reload the plugin")
        self._flags = 0
        self.frames += 1
        self.slow_frames += milliseconds > self._budget_ms
        self.frame_ms.append(milliseconds)
        self._segment.server_frames = self.frames

    def fail(self, reason: str) -> None:
        """Passes the reason on to the link."""
        self._on_fail(reason)

    def _follow(self, epoch: int) -> bool:
        """Enters a new epoch; False while its beginning is not in the ring."""
        if epoch == self._epoch:
            return True
        start = self._segment.enter_newest_epoch()
        if start is not None:
            self._epoch, seed = start
            self._until = 0
            self._flags = 0
            self._session.begin_epoch(seed)
            self._segment.server_epoch = self._epoch
        # The ring may be ahead of `published`: then the new epoch's input is not complete yet.
        return epoch == self._epoch

    def _read_events(self) -> None:
        for record in self._segment.read_events(self._until).tolist():
            event = to_event(record)
            if event is not None:
                self._session.push(event)

    def _skip_missed(self) -> None:
        """A live stream that fell far behind goes on at the present, not seconds ago.

        The frames left out were due long ago. Offline every frame is waited for: none is left out.
        """
        spec = self._session.spec
        behind = self._until - self._session.frame_end
        if behind < LATE_SECONDS * spec.sample_rate or self._segment.is_offline:
            return
        self._session.skip(behind // spec.frame_samples)
        self._flags = wire.FRAME_GAP


def wait_for_input(streams: Sequence[Stream], seconds: float) -> None:
    """Returns when a stream's next frame may be ready, at the latest after `seconds`."""
    targets = [stream.target() for stream in streams if isinstance(stream, SegmentStream)]
    waited = [target for target in targets if target is not None]
    if len(waited) < len(streams):
        # A stream that waits for room in its ring or for an epoch is looked at again soon.
        seconds = min(seconds, BLOCKED_WAIT_SECONDS)
    if waited:
        wire.wait_any(waited, seconds)
    else:
        time.sleep(seconds)
