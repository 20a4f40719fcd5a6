# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's side of the stress test; protocol/tools/stress_peer.cpp is the other.

Every item's content follows from its number alone, so that a lost, torn or reordered one shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate import _protocol as wire

EPOCH = 1
BATCH = 4096
PATIENCE_S = 30.0


def mixed(n: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well-mixed 64-bit number for each n (the finaliser of splitmix64)."""
    n = n + np.uint64(0x9E3779B97F4A7C15)
    n = (n ^ (n >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    n = (n ^ (n >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return n ^ (n >> np.uint64(31))


def events_of(first: int, count: int) -> NDArray[np.void]:
    """Events `first` to `first + count - 1`."""
    n = np.arange(first, first + count, dtype=np.uint64)
    m = mixed(n)
    events = np.zeros(count, wire.EVENT_DTYPE)
    events["time"] = n
    events["type"] = wire.EventType.TRANSPORT
    events["index"] = m >> np.uint64(32)
    events["value"] = m % np.uint64(10001)
    events["aux"] = m
    return events


class Frames:
    """Frame k of a shape: float32 [frame_samples, channels] in 0..1."""

    def __init__(self, frame_samples: int, channels: int) -> None:
        count = frame_samples * channels
        self._steps = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        self._shape = (frame_samples, channels)

    def __call__(self, k: int) -> NDArray[np.float32]:
        first = mixed(np.array([k], np.uint64)).astype(np.uint32)
        bits = (first + self._steps) >> np.uint32(8)
        return (bits.astype(np.float32) * np.float32(2.0**-24)).reshape(self._shape)


class Peer:
    """One side. Methods do what they can now and say whether that was anything."""

    def __init__(self, segment: wire.Segment, events: int, frames: int) -> None:
        self.segment = segment
        self.events, self.frames = events, frames
        self.events_done = self.written = self.taken = 0
        self._frame = Frames(segment.frame_samples, segment.channels)

    def push_events(self) -> bool:
        count = min(BATCH, self.events - self.events_done)
        pushed = self.segment.push_events(events_of(self.events_done, count)) if count else 0
        self.events_done += pushed
        if pushed:
            self.segment.publish(EPOCH, self.events_done)
        return pushed > 0

    def take_events(self) -> bool:
        """Takes what is published; all of it must be there."""
        position = self.segment.published()
        if position is None or position[1] == self.events_done:
            return False
        while self.events_done < position[1]:
            events = self.segment.read_events(position[1], BATCH)
            assert events.size, f"published until {position[1]}, event {self.events_done} missing"
            expected = events_of(self.events_done, events.size)
            wrong = np.flatnonzero(events != expected)
            assert wrong.size == 0, f"event {self.events_done + wrong[0]} is wrong"
            self.events_done += events.size
        return True

    def write_frame(self, write: Callable[..., bool]) -> bool:
        if self.written == self.frames:
            return False
        done = write(EPOCH, self.written, self._frame(self.written))
        self.written += done
        return done

    def take_frame(self, take: Callable[[], Any]) -> bool:
        frame = take()
        if frame is None:
            return False
        epoch, index, _, samples = frame
        assert (epoch, index) == (EPOCH, self.taken), f"frame {self.taken}: got {epoch}, {index}"
        assert np.array_equal(samples, self._frame(index)), f"frame {index} is wrong"
        self.taken += 1
        return True

    @property
    def is_done(self) -> bool:
        return self.events_done == self.events and self.written == self.taken == self.frames

    @property
    def progress(self) -> str:
        """In the C++ side's words."""
        return f"{self.events_done} events, {self.written} frames written, {self.taken} taken"

    def run(self, role: str, other_status: Callable[[], int | None]) -> None:
        """Plays `role` ("plugin" or "server") until all is done or the other side has failed."""
        is_plugin = role == "plugin"
        events = self.push_events if is_plugin else self.take_events
        write = self.segment.write_input_frame if is_plugin else self.segment.write_frame
        take = self.segment.read_frame if is_plugin else self.segment.read_input_frame
        last = time.monotonic()
        while not self.is_done:
            moved = [events(), self.write_frame(write), self.take_frame(take)]
            if any(moved):
                last = time.monotonic()
                continue
            assert time.monotonic() - last < PATIENCE_S, f"stuck after {self.progress}"
            if other_status():
                return
            time.sleep(0.0002)  # give the processor to the other side
