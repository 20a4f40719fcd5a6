# SPDX-License-Identifier: GPL-3.0-or-later
"""The segment as the server uses it: `bandmate._protocol.Segment`."""

import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from bandmate import _protocol as wire
from bandmate.link.messages import SessionStatus
from bandmate.session.parameters import STYLE_SLOTS, Parameter

EVENT = wire.EventType
SHAPE = (48000, 2, 1920)


def event_array(*rows):
    return np.array(list(rows), wire.EVENT_DTYPE)


def note_on(time, pitch=60):
    return (time, EVENT.NOTE_ON, 0, pitch, 1.0, 0)


def epoch(number, seed=0):
    return (0, EVENT.EPOCH, 0, number, 0.0, seed)


@pytest.fixture
def pair(tmp_path):
    """One segment, as the plugin and as the server see it."""
    path = tmp_path / "segment"
    with wire.Segment.create(path, *SHAPE) as plugin, wire.Segment.attach(path) as server:
        yield plugin, server


def test_both_sides_see_one_description(pair, tmp_path):
    plugin, server = pair
    assert (server.sample_rate, server.channels, server.frame_samples) == SHAPE
    assert server.nonce == plugin.nonce
    assert len(server.nonce) == 16
    assert server.total_bytes == (tmp_path / "segment").stat().st_size
    assert stat.S_IMODE((tmp_path / "segment").stat().st_mode) == 0o600
    assert (server.event_slots, server.audio_out_slots, server.audio_in_slots) == (16384, 64, 64)


def test_two_segments_differ_in_their_nonce(tmp_path):
    with (
        wire.Segment.create(tmp_path / "a", *SHAPE) as a,
        wire.Segment.create(tmp_path / "b", *SHAPE) as b,
    ):
        assert a.nonce != b.nonce


def test_a_frame_gets_exactly_the_events_before_its_end(pair):
    plugin, server = pair
    pushed = event_array(epoch(1, 2**64 - 1), note_on(0), note_on(1919, 61), note_on(1920, 62))
    assert plugin.push_events(pushed) == 4
    assert server.enter_newest_epoch() == (1, 2**64 - 1)
    first = server.read_events(1920)
    assert first.dtype == wire.EVENT_DTYPE
    assert first["index"].tolist() == [60, 61]
    assert server.read_events(1920).size == 0
    assert server.waiting_events == 1
    assert server.read_events(3840)["time"].tolist() == [1920]


def test_reading_stops_at_a_new_epoch_and_enters_the_newest(pair):
    plugin, server = pair
    plugin.push_events(event_array(epoch(1), note_on(0, 60), epoch(2), note_on(0, 61), epoch(3)))
    assert server.enter_newest_epoch() == (3, 0)
    plugin.push_events(event_array(note_on(0, 62), epoch(4, 9), note_on(0, 63)))
    assert server.read_events(1920)["index"].tolist() == [62]
    assert server.read_events(1920).size == 0
    assert server.enter_newest_epoch() == (4, 9)
    assert server.enter_newest_epoch() is None
    assert server.read_events(1920)["index"].tolist() == [63]


def test_reading_in_parts_loses_nothing(pair):
    plugin, server = pair
    plugin.push_events(event_array(*(note_on(t) for t in range(10))))
    parts = [server.read_events(100, 4)["time"].tolist() for _ in range(4)]
    assert parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], []]


def test_illegal_records_are_skipped_and_counted(pair):
    plugin, server = pair
    plugin.push_events(event_array(note_on(0, 128), (0, 77, 0, 0, 0.0, 0), note_on(0)))
    assert server.read_events(1).size == 1
    assert server.refused_events == 2


def test_a_full_event_ring_takes_what_fits(pair):
    plugin, server = pair
    events = event_array(*(note_on(t) for t in range(plugin.event_slots + 5)))
    assert plugin.push_events(events) == plugin.event_slots
    assert plugin.push_events(events[-5:]) == 0
    assert server.read_events(3).size == 3
    assert plugin.push_events(events[-5:]) == 3


@pytest.mark.parametrize(
    ("write", "read"), [("write_frame", "read_frame"), ("write_input_frame", "read_input_frame")]
)
def test_frames_cross_in_both_directions(pair, write, read):
    writer, reader = pair if write == "write_input_frame" else pair[::-1]
    rng = np.random.default_rng(1)
    assert getattr(reader, read)() is None
    for k in range(200):
        samples = rng.standard_normal((1920, 2), np.float32)
        assert getattr(writer, write)(5, k, samples, wire.FRAME_GAP)
        number, index, flags, heard = getattr(reader, read)()
        assert (number, index, flags) == (5, k, wire.FRAME_GAP)
        assert heard.dtype == np.float32
        np.testing.assert_array_equal(heard, samples)


def test_a_full_audio_ring_refuses_and_recovers(pair):
    plugin, server = pair
    silence = np.zeros((1920, 2), np.float32)
    for k in range(server.audio_out_slots):
        assert server.free_frames == server.audio_out_slots - k
        assert server.write_frame(1, k, silence)
    assert not server.write_frame(1, 64, silence)
    assert plugin.read_frame()[1] == 0
    assert server.write_frame(1, 64, silence)


@pytest.mark.parametrize(
    ("samples", "error"),
    [
        (np.zeros((1920, 1), np.float32), ValueError),
        (np.zeros((2, 1920), np.float32), ValueError),
        (np.zeros((1920, 2), np.float64), TypeError),
        (np.zeros((2, 1920), np.float32).T, TypeError),
        (np.full((1920, 2), np.nan, np.float32), ValueError),
    ],
)
def test_frames_that_cannot_be_are_refused(pair, samples, error):
    with pytest.raises(error):
        pair[1].write_frame(1, 0, samples)
    assert pair[0].read_frame() is None


def test_published_is_read_as_it_was_stored(pair):
    plugin, server = pair
    assert server.published() == (0, 0)
    plugin.publish(2**32 - 1, 2**64 - 1)
    assert server.published() == (2**32 - 1, 2**64 - 1)


def test_waiting_ends_at_the_position_at_a_newer_epoch_or_at_the_limit(pair):
    plugin, server = pair
    plugin.publish(3, 1920)
    assert server.wait_published(3, 1920, 0.0) == (3, 1920)
    assert server.wait_published(2, 10**9, 0.0) == (3, 1920)
    assert server.wait_published(3, 1921, 0.01) is None
    assert server.wait_published(4, 0, 0.01) is None


def test_waiting_lets_other_threads_run_and_sees_what_they_publish(pair):
    plugin, server = pair
    thread = threading.Thread(target=lambda: plugin.publish(1, 1920))
    result = []
    waiter = threading.Thread(target=lambda: result.append(server.wait_published(1, 1920, 30)))
    waiter.start()
    thread.start()
    waiter.join(30)
    thread.join(30)
    assert result == [(1, 1920)]


def test_closing_under_a_wait_is_safe(pair):
    _, server = pair
    result = []
    waiter = threading.Thread(target=lambda: result.append(server.wait_published(1, 1, 0.2)))
    waiter.start()
    server.close()
    waiter.join(30)
    # None when the wait had begun; otherwise it has raised Error and there is no result.
    assert result in ([None], [])
    with pytest.raises(wire.Error):
        server.published()


def test_wait_any_names_all_that_are_ready(pair, tmp_path):
    plugin, server = pair
    with wire.Segment.create(tmp_path / "other", *SHAPE) as other:
        targets = [(other, 1, 1), (server, 1, 1920), (server, 1, 3840)]
        assert wire.wait_any(targets, 0.01) == []
        plugin.publish(1, 1920)
        assert wire.wait_any(targets, 10) == [1]
        other.publish(2, 0)
        assert wire.wait_any(targets, 10) == [0, 1]
    with pytest.raises(wire.Error):
        wire.wait_any(targets, 0.01)


@pytest.mark.parametrize("due", [-1.0, 0.0, 0.005, 100.0])
def test_wait_due_names_who_is_ready_whenever_that_was_expected(pair, due):
    plugin, server = pair
    targets = [(server, 1, 1920), (server, 1, 3840)]
    ready, _ = wire.wait_due(targets, due, 0.01)
    assert ready == []
    plugin.publish(1, 1920)
    ready, unseen = wire.wait_due(targets, due, 10)
    assert ready == [0]
    assert 0.0 <= unseen < 10.0
    with pytest.raises(ValueError, match="due_s"):
        wire.wait_due(targets, float("nan"), 0.01)


@pytest.mark.parametrize("timeout", [-1.0, float("nan"), 1e9])
def test_impossible_timeouts_are_refused(pair, timeout):
    with pytest.raises(ValueError, match="timeout_s"):
        pair[1].wait_published(1, 1, timeout)


def test_live_fields_cross(pair):
    plugin, server = pair
    server.server_state = wire.ServerState.READY
    server.server_epoch = 7
    server.server_frames = 2**40
    assert plugin.server_state is wire.ServerState.READY
    assert (plugin.server_epoch, plugin.server_frames) == (7, 2**40)
    before = wire.monotonic_ns()
    server.beat()
    assert before <= plugin.server_heartbeat_ns <= wire.monotonic_ns()
    plugin.plugin_beat()
    assert server.plugin_heartbeat == 1
    assert (server.underruns, server.lost_events, server.late_frames) == (0, 0, 0)
    assert not server.is_offline


def test_the_heartbeat_clock_is_pythons_monotonic_clock(pair):
    if sys.platform != "linux":
        pytest.skip("only on Linux are the two clocks known to be one")
    low = time.monotonic_ns()
    pair[1].beat()
    assert low <= pair[0].server_heartbeat_ns <= time.monotonic_ns()


def test_a_segment_is_closed_once_and_for_all(tmp_path):
    segment = wire.Segment.create(tmp_path / "segment", *SHAPE)
    segment.close()
    segment.close()
    assert not segment.is_open
    with pytest.raises(wire.Error, match="closed"):
        segment.read_events(1)


def test_making_over_an_existing_file_is_refused(pair, tmp_path):
    with pytest.raises(wire.Error) as refused:
        wire.Segment.create(tmp_path / "segment", *SHAPE)
    assert refused.value.code == "io"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "io"),
        (lambda path: path.touch(0o600), "bad_segment"),
        (lambda path: path.mkdir(), "io"),
        (lambda path: path.symlink_to("/dev/zero"), "io"),
    ],
)
def test_what_is_no_segment_is_refused(tmp_path, make, code):
    path = tmp_path / "segment"
    make(path)
    with pytest.raises(wire.Error) as refused:
        wire.Segment.attach(path)
    assert refused.value.code == code
    assert str(path) in refused.value.message
    assert refused.value.hint


def test_others_may_not_be_able_to_open_it(pair, tmp_path):
    (tmp_path / "segment").chmod(0o644)
    with pytest.raises(wire.Error, match="not private"):
        wire.Segment.attach(tmp_path / "segment")


def test_the_mapping_outlives_the_name(pair, tmp_path):
    plugin, server = pair
    (tmp_path / "segment").unlink()
    plugin.publish(1, 5)
    assert server.published() == (1, 5)


def test_a_dead_writer_leaves_a_segment_that_can_be_read(tmp_path):
    path = tmp_path / "segment"
    script = (
        "import os, sys, numpy as np; from bandmate import _protocol as w;"
        f"s = w.Segment.create({str(path)!r}, 48000, 2, 1920);"
        "s.push_events(np.array([(0, 1, 0, 1, 0.0, 5)], w.EVENT_DTYPE)); s.publish(1, 7);"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    with wire.Segment.attach(path) as server:
        assert server.published() == (1, 7)
        assert server.enter_newest_epoch() == (1, 5)


def test_the_servers_parameters_are_the_wires():
    assert {p.name: int(p) for p in Parameter} == {p.name: int(p) for p in wire.ParameterId}
    assert [p.id for p in wire.PARAMETERS] == list(range(len(wire.PARAMETERS)))
    assert [p.name.upper() for p in wire.PARAMETERS] == [p.name for p in wire.ParameterId]
    assert STYLE_SLOTS == wire.STYLE_SLOTS
    assert all(wire.is_legal_parameter(p.id, p.initial) for p in wire.PARAMETERS)


def test_every_server_state_has_a_name_that_fits_a_status():
    assert set(wire.SERVER_STATE_NAMES) == set(wire.ServerState)
    assert all(isinstance(name, str) for name in wire.SERVER_STATE_NAMES.values())
    assert "state" in SessionStatus.__dataclass_fields__
