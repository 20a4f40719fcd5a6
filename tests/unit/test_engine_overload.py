# SPDX-License-Identifier: GPL-3.0-or-later
"""More tracks than the machine can play: the newest is silent and told so, the others play on."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate import _protocol as wire
from bandmate.engine.overload import NOTE, OverloadGuard
from bandmate.link.stream import SegmentStream
from bandmate.models.registry import find_bundle, load_model
from bandmate.session.session import Session

BUNDLE = find_bundle("testtone")
F = BUNDLE.frame.frame_samples
MODEL, _ = load_model(BUNDLE)
EPOCH, BLOCK, LATE_BLOCKS = 1, 512, 20


class Track:
    """A live track: the plugin's side of a real segment, and the server's stream on it."""

    def __init__(self, folder, number: int) -> None:
        path = folder / f"segment-{number}"
        spec = BUNDLE.frame
        self.plugin = wire.Segment.create(path, spec.sample_rate, spec.channels, F)
        self.stream = SegmentStream(
            wire.Segment.attach(path), Session(BUNDLE, None), 10.0, self.failed
        )
        self.stream.open = True
        self.notes: list[str] = []
        self.stream.on_note = self.notes.append
        epoch = np.array([(0, int(wire.EventType.EPOCH), 0, EPOCH, 0.0, 0)], wire.EVENT_DTYPE)
        assert self.plugin.push_events(epoch) == 1
        self.position = 0

    def failed(self, reason: str) -> None:
        raise AssertionError(reason)

    def publish(self, samples: int) -> None:
        """The host plays on, a block at a time."""
        end = self.position + samples
        while self.position < end:
            self.position = min(self.position + BLOCK, end)
            self.plugin.publish(EPOCH, self.position)
            if self.position % (8 * BLOCK) == 0:
                self.stream.ready()

    def step(self) -> int | None:
        """Makes the next frame if it can be made; its index, as the plugin reads it."""
        if not self.stream.ready():
            return None
        controls, state = self.stream.take()
        (audio,), (new,) = MODEL.step([controls], [MODEL.init_state() if state is None else state])
        self.stream.deliver(audio, new, 1.0)
        return self.plugin.read_frame()[1]


@pytest.fixture
def tracks(tmp_path) -> list[Track]:
    return [Track(tmp_path, number) for number in range(3)]


@pytest.fixture
def guard(tracks) -> OverloadGuard:
    guard = OverloadGuard()
    for track in tracks:
        guard.joined(track.stream)
    return guard


def play(guard: OverloadGuard, tracks: list[Track], seconds: float, room: float) -> list[Track]:
    """A machine with room for so many tracks (need not be whole); those put to rest."""
    rested, owed, length = [], 0.0, F / BUNDLE.frame.sample_rate
    for frame in range(round(seconds / length)):
        for track in tracks:
            track.publish(F)
        owed += room / sum(not track.stream.is_resting for track in tracks)
        while owed >= 1.0:
            owed -= 1.0
            for track in tracks:
                track.step()
            if (stream := guard.look(frame * length)) is not None:
                rested += [track for track in tracks if track.stream is stream]
    return rested


def test_a_machine_that_keeps_up_silences_nobody(guard, tracks):
    assert play(guard, tracks, 10.0, 3.0) == []


def test_a_pause_of_the_machine_silences_nobody(guard, tracks):
    for track in tracks:
        track.publish(10 * F)
    assert play(guard, tracks, 8.0, 4.5) == []


def test_the_newest_is_silenced_and_told_and_comes_back(guard, tracks):
    first, second, newest = tracks
    rested = play(guard, tracks, 12.0, 2.1)
    assert rested == [newest]
    assert newest.notes == [NOTE]
    assert first.notes == second.notes == []
    # Silent, but following: nothing waits for it, and it does not fall behind.
    made = newest.stream.frames
    newest.publish(5 * F)
    assert newest.step() is None
    assert newest.stream.frames == made
    # A track that goes makes room: it goes on at the present.
    guard.left(first.stream)
    assert newest.notes == [NOTE, ""]
    newest.publish(F)
    assert newest.step() == newest.position // F - 1


def test_one_track_alone_is_never_silenced(tmp_path):
    track, guard = Track(tmp_path, 9), OverloadGuard()
    guard.joined(track.stream)
    assert play(guard, [track], 8.0, 0.3) == []
