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
from bandmate.session.side_chain import InputHistory
from bandmate.session.takes.recorder import TakeRecorder

MIDI_MAXIMUM = 127  # the wire carries velocities and controllers as 0..1
LATE_SECONDS = 1.0  # a live stream this far behind has missed the time of its frames
JUMP_SECONDS = 600.0  # no server sleeps through more of a stream than that
RECENT_FRAMES = 1000
BLOCKED_WAIT_SECONDS = 0.001
OVERDUE_BLOCKS = 2.0  # input that is later than so many of its host's blocks is not waited for

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
    if kind == wire.EventType.PITCH_BEND:
        return Event(time_, EventKind.PITCH_BEND, channel, 0, value)
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
        is_resting: see `engine.overload.LiveStream`.
        on_note: told what the user is to know; an empty text when that is over.
        on_frame: called when a frame is in the ring.
        open: whether frames may be made; the link opens it when the prompts are in force.
        frames: frames made in all epochs.
        slow_frames: those that took longer than the budget.
        frame_ms: recent frame times in milliseconds.
        wake_ms: for how long, at most, recent frames' complete input went unseen.
        turn_ms: recent times from complete input to delivered sound.
        input: the side chain's last seconds.
    """

    def __init__(
        self,
        segment: wire.Segment,
        session: Session,
        budget_ms: float,
        on_fail: Callable[[str], None],
        take: TakeRecorder | None = None,
    ) -> None:
        """Args:
        segment: attached, of the session's frame shape.
        session: makes the conditioning.
        budget_ms: what a frame may cost.
        on_fail: told the reason when the stream is taken out of the engine.
        take: keeps what is played.
        """
        self.input = InputHistory(session.spec)
        self._take = take
        self._segment = segment
        self._session = session
        self._budget_ms = budget_ms
        self._on_fail = on_fail
        self._epoch = 0
        self._until = 0
        self._block = 0  # samples by which `until` last rose
        self._risen_at = 0.0  # monotonic time of that
        self._flags = 0
        self._complete_at = 0.0  # monotonic time when the last frame's input was seen complete
        self._is_complete = False  # whether that frame waits to be made
        self.open = False
        self._catches_up = False
        self.is_resting = False
        self.on_note: Callable[[str], None] = lambda _: None
        self.on_frame: Callable[[], None] = lambda: None
        self.frames = 0
        self.slow_frames = 0
        self.frame_ms: deque[float] = deque(maxlen=RECENT_FRAMES)
        self.wake_ms: deque[float] = deque(maxlen=RECENT_FRAMES)
        self.turn_ms: deque[float] = deque(maxlen=RECENT_FRAMES)
        self._unseen = 0.0  # seconds for which the input may have been complete when it was seen

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
        if published[1] - self._until > JUMP_SECONDS * self._session.spec.sample_rate:
            # To leave out frame by frame what cannot be true would hold up everybody.
            raise BrokenSegmentError("the plugin's clock is damaged; reload the plugin")
        if published[1] != self._until:
            self._block = max(0, published[1] - self._until)
            self._until = published[1]
            self._risen_at = time.monotonic()
            self._read_events()
            self._read_input()
        if self.is_resting and not segment.is_offline:
            self._leave_out()
            return False
        if self._until < self._session.frame_end or segment.free_frames == 0:
            return False
        if not self._is_complete:
            self._is_complete = True
            self._complete_at = time.monotonic()
        return True

    def imminent(self) -> bool:
        """Whether the plugin's next block completes the frame, and is to be expected now.

        One whose host or network stands still must not cost the others a moment of each frame.
        """
        missing = self._session.frame_end - self._until
        if not self.open or self._epoch == 0 or not 0 < missing <= self._block:
            return False
        patience = OVERDUE_BLOCKS * self._block / self._session.spec.sample_rate
        return time.monotonic() - self._risen_at < patience

    @property
    def is_patient(self) -> bool:
        """A host that renders offline waits for its frames."""
        return bool(self._segment.is_offline)

    def due_seconds(self) -> float:
        """The earliest: hosts publish in blocks, and one may end right at the frame's end."""
        spec = self._session.spec
        missing = max(0, self._session.frame_end - self._until) / spec.sample_rate
        return self._complete_at + missing - time.monotonic()

    def woken(self, unseen: float) -> None:
        """A wait ended because the input is complete; nobody had looked for `unseen` seconds."""
        self._unseen = unseen

    def target(self) -> tuple[wire.Segment, int, int] | None:
        """What to wait for on the segment; None when something else is missing."""
        if not self.open or self._epoch == 0 or self._until >= self._session.frame_end:
            return None
        return self._segment, self._epoch, self._session.frame_end

    def take(self) -> tuple[FrameControls, Any]:
        """The next frame that can still be heard."""
        self._is_complete = False
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
        self.on_frame()
        if self._take is not None:
            self._take.frame(index, heard)
        self._flags = 0
        self.frames += 1
        self.slow_frames += milliseconds > self._budget_ms
        self.frame_ms.append(milliseconds)
        if not self._segment.is_offline:  # there the input waits for us, not we for it
            self.wake_ms.append(self._unseen * 1e3)
            self.turn_ms.append((time.monotonic() - self._complete_at + self._unseen) * 1e3)
        self._unseen = 0.0
        self._segment.server_frames = self.frames

    def fail(self, reason: str) -> None:
        """Passes the reason on to the link."""
        self._on_fail(reason)

    def is_behind(self) -> bool:
        """See `engine.overload.LiveStream`."""
        published = self._segment.published()
        if published is None or published[0] != self._epoch:
            return False
        waiting: int = published[1] - self._session.frame_end
        return waiting > max(self._block, self._session.spec.frame_samples)

    def rest(self, note: str) -> None:
        """See `engine.overload.LiveStream`. Notes and parameters are followed all the same."""
        self.is_resting = True
        self.on_note(note)

    def catch_up(self) -> None:
        """See `engine.overload.LiveStream`."""
        self._catches_up = True

    def wake(self) -> None:
        """See `engine.overload.LiveStream`."""
        self.is_resting = False
        self.on_note("")

    def _leave_out(self) -> None:
        behind = self._until - self._session.frame_end
        if behind >= 0:
            self._session.skip(behind // self._session.spec.frame_samples + 1)
            self._flags = wire.FRAME_GAP

    def _follow(self, epoch: int) -> bool:
        """Enters a new epoch; False while its beginning is not in the ring."""
        if epoch == self._epoch:
            return True
        start = self._segment.enter_newest_epoch()
        if start is not None:
            self._epoch, seed = start
            self._until = 0
            self._flags = 0
            self._is_complete = False
            self._session.begin_epoch(seed)
            if self._take is not None:
                self._take.begin_epoch()
            self._segment.server_epoch = self._epoch
        # The ring may be ahead of `published`: then the new epoch's input is not complete yet.
        return epoch == self._epoch

    def _read_events(self) -> None:
        for record in self._segment.read_events(self._until).tolist():
            event = to_event(record)
            if event is not None:
                self._session.push(event)
            if self._take is None:
                continue
            if event is not None:
                self._take.event(event)
            elif record[1] == wire.EventType.TRANSPORT:
                self._take.tempo(record[0], record[4])

    def _read_input(self) -> None:
        while (frame := self._segment.read_input_frame()) is not None:
            epoch, index, _, samples = frame
            self.input.add(epoch, index, samples)

    def _skip_missed(self) -> None:
        """A live stream that fell far behind goes on at the present, not seconds ago.

        The frames left out were due long ago. Offline every frame is waited for: none is left out.
        """
        spec = self._session.spec
        behind = self._until - self._session.frame_end
        late = spec.frame_samples if self._catches_up else LATE_SECONDS * spec.sample_rate
        self._catches_up = False
        if behind < late or self._segment.is_offline:
            return
        self._session.skip(behind // spec.frame_samples)
        self._flags = wire.FRAME_GAP


def wait_for_input(streams: Sequence[Stream], seconds: float) -> None:
    """Returns when a stream's next frame may be ready, at the latest after `seconds`."""
    waited: list[SegmentStream] = []
    targets = []
    for stream in streams:
        if isinstance(stream, SegmentStream) and (target := stream.target()) is not None:
            waited.append(stream)
            targets.append(target)
    if len(waited) < len(streams):
        # A stream that waits for room in its ring or for an epoch is looked at again soon.
        seconds = min(seconds, BLOCKED_WAIT_SECONDS)
    if waited:
        due = min(stream.due_seconds() for stream in waited)
        ready, unseen = wire.wait_due(targets, due, seconds)
        for index in ready:
            waited[index].woken(unseen)
    else:
        time.sleep(seconds)
