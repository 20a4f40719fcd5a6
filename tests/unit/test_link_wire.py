# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the wire meets the session: the parameter table, records, discovery files, one stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bandmate import _protocol as wire
from bandmate.link import discovery
from bandmate.link.discovery import Discovery, ServerLock, ServerRunningError
from bandmate.link.stream import SegmentStream, to_event
from bandmate.models.bundle import Defaults
from bandmate.models.registry import find_bundle, load_model
from bandmate.paths import FolderError, runtime_dir
from bandmate.session.events import Event, EventKind
from bandmate.session.parameters import STYLE_SLOTS, Parameter, Parameters
from bandmate.session.session import Session

BUNDLE = find_bundle("testtone")
F = BUNDLE.frame.frame_samples
MODEL_DECIDES = {  # their initial value is the bundle's
    Parameter.TEMPERATURE,
    Parameter.TOP_K,
    Parameter.GUIDANCE_STYLE,
    Parameter.GUIDANCE_NOTES,
    Parameter.GUIDANCE_DRUMS,
}


def test_parameters_are_those_of_the_protocol():
    assert [(p.id, p.name) for p in wire.PARAMETERS] == [
        (p.value, p.name.lower()) for p in Parameter
    ]
    assert STYLE_SLOTS == wire.STYLE_SLOTS
    fresh = Parameters(Defaults())
    for row in wire.PARAMETERS:
        if Parameter(row.id) not in MODEL_DECIDES:
            assert fresh[Parameter(row.id)] == row.initial, row.name


def test_every_velocity_and_controller_value_survives_the_wire():
    for value in range(128):
        moved = to_event((5, int(wire.EventType.CONTROL), 3, 64, value / 127, 0))
        assert moved == Event(5, EventKind.CONTROL, 3, 64, value)
    for velocity in range(1, 128):
        struck = to_event((5, int(wire.EventType.NOTE_ON), 3, 60, velocity / 127, 0))
        assert struck == Event(5, EventKind.NOTE_ON, 3, 60, velocity)
    assert to_event((5, int(wire.EventType.NOTE_ON), 0, 60, 1e-9, 0)).value == 1


def test_a_bend_survives_the_wire():
    bent = to_event((5, int(wire.EventType.PITCH_BEND), 3, 0, -0.25, 0))
    assert bent == Event(5, EventKind.PITCH_BEND, 3, 0, -0.25)


def test_notes_off_of_one_channel_or_all():
    kind = int(wire.EventType.ALL_NOTES_OFF)
    assert to_event((1, kind, wire.ANY_CHANNEL, 0, 0.0, 0)).kind is EventKind.ALL_NOTES_OFF
    assert to_event((1, kind, 4, 0, 0.0, 0)) == Event(1, EventKind.CHANNEL_NOTES_OFF, 4)


def test_records_that_steer_no_model_are_left_out():
    for kind in (wire.EventType.TRANSPORT, wire.EventType.PRESSURE):
        assert to_event((1, int(kind), 0, 0, 0.5, 0)) is None


# A stream without a server.


@pytest.fixture
def stream(tmp_path):
    segment = wire.Segment.create(
        tmp_path / "segment", BUNDLE.frame.sample_rate, BUNDLE.frame.channels, F, audio_slots=4
    )
    made = SegmentStream(segment, Session(BUNDLE, None), 10.0, lambda reason: None)
    made.open = True
    with segment:
        yield made, segment


def push(segment: wire.Segment, *records: tuple) -> None:
    rows = np.array(list(records), wire.EVENT_DTYPE)
    assert segment.push_events(rows) == len(rows)


def step(stream: SegmentStream) -> None:
    model, _ = load_model(BUNDLE)
    controls, state = stream.take()
    (audio,), (state,) = model.step([controls], [model.init_state() if state is None else state])
    stream.deliver(audio, state, 1.0)


EPOCH, NOTE_ON, NOTE_OFF = (
    int(k) for k in (wire.EventType.EPOCH, wire.EventType.NOTE_ON, wire.EventType.NOTE_OFF)
)


def test_ready_exactly_when_the_frames_input_is_complete(stream):
    stream, segment = stream
    assert not stream.ready()
    push(segment, (0, EPOCH, 0, 1, 0.0, 9))
    for until, expected in ((0, False), (F - 1, False), (F, True)):
        segment.publish(1, until)
        assert stream.ready() == expected
    step(stream)
    assert not stream.ready()
    assert segment.read_frame()[:2] == (1, 0)


def test_epoch_record_ahead_of_published_waits(stream):
    """The audio thread pushes the record first; until it publishes, nothing of it counts."""
    stream, segment = stream
    push(segment, (0, EPOCH, 0, 1, 0.0, 0))
    segment.publish(1, F)
    assert stream.ready()
    push(segment, (0, EPOCH, 0, 2, 0.0, 0), (7, NOTE_ON, 0, 60, 1.0, 0))
    assert stream.ready()  # still the first epoch's frame
    step(stream)
    assert segment.read_frame()[0] == 1
    segment.publish(2, 0)
    assert not stream.ready()
    segment.publish(2, F)
    assert stream.ready()
    step(stream)
    epoch, index, _, sound = segment.read_frame()
    assert (epoch, index, int(np.argmax(sound[:, 0]))) == (2, 0, 7)


def test_published_epoch_without_its_record_is_not_ready(stream):
    stream, segment = stream
    segment.publish(3, 10 * F)
    assert not stream.ready()
    assert stream.target() is None  # or the wait for input would return at once, again and again
    push(segment, (0, EPOCH, 0, 3, 0.0, 0))
    assert stream.ready()


def test_no_frame_without_room_for_it(stream):
    stream, segment = stream
    push(segment, (0, EPOCH, 0, 1, 0.0, 0))
    segment.publish(1, 10 * F)
    for _ in range(4):
        assert stream.ready()
        step(stream)
    assert not stream.ready()
    segment.read_frame()
    assert stream.ready()


def test_silence_is_marked_as_intended(stream):
    stream, segment = stream
    push(segment, (0, EPOCH, 0, 1, 0.0, 0), (F, NOTE_ON, 0, 60, 1.0, 0))
    segment.publish(1, 2 * F)
    for flags in (wire.FRAME_SILENCE, 0):
        assert stream.ready()
        step(stream)
        assert segment.read_frame()[2] == flags


def test_what_was_missed_leaves_no_note_hanging(stream):
    stream, segment = stream
    push(segment, (0, EPOCH, 0, 1, 0.0, 0), (3, NOTE_ON, 0, 60, 1.0, 0))
    segment.publish(1, F)
    assert stream.ready()
    step(stream)
    push(segment, (10 * F, NOTE_OFF, 0, 60, 0.0, 0))
    segment.publish(1, 100 * F)
    assert stream.ready()
    step(stream)  # goes on at the present, with the release that was missed
    segment.read_frame()
    epoch, index, flags, sound = segment.read_frame()
    assert (epoch, index) == (1, 99)
    assert flags & wire.FRAME_GAP
    assert not sound[F // 2 :].any()


# Discovery.


def test_a_broken_discovery_file_is_as_good_as_none(tmp_path):
    path = tmp_path / discovery.DISCOVERY_NAME
    assert discovery.read_discovery(tmp_path) is None
    good = Discovery(1, os.getpid(), "ipc:///x", "00", 1.0, "0")
    good.write(tmp_path)
    assert discovery.read_discovery(tmp_path) == good
    assert path.stat().st_mode & 0o777 == 0o600
    raw = json.loads(path.read_text())
    for broken in ("", "{", "[]", "3", json.dumps({**raw, "pid": "x"}), json.dumps({"pid": 1})):
        path.write_text(broken)
        assert discovery.read_discovery(tmp_path) is None
    for pid in (0, -1, 999999999, 2**70):
        path.write_text(json.dumps({**raw, "pid": pid}))
        assert discovery.read_discovery(tmp_path) is None or pid > 2**60
    assert sorted(p.name for p in tmp_path.iterdir()) == [discovery.DISCOVERY_NAME]


def test_the_lock_dies_with_its_process(tmp_path):
    program = (
        "import sys, pathlib, os\nfrom bandmate.link.discovery import ServerLock\n"
        "lock = ServerLock(pathlib.Path(sys.argv[1]))\nprint('held', flush=True)\n"
        "sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    assert discovery.server_runs(tmp_path)
    with pytest.raises(ServerRunningError, match=str(holder.pid)):
        ServerLock(tmp_path)
    holder.kill()
    holder.wait()
    assert not discovery.server_runs(tmp_path)
    ServerLock(tmp_path).release()


def test_only_segments_of_the_dead_are_swept(tmp_path):
    mine = tmp_path / f"segment-{os.getpid()}-1"
    dead = tmp_path / "segment-999999999-4"
    others = [tmp_path / name for name in ("segment-x-1", "server.json", "segment-")]
    for path in (mine, dead, *others):
        path.write_text("")
    assert discovery.sweep_segments(tmp_path) == [dead]
    assert all(path.exists() for path in (mine, *others))


def test_the_private_folder_is_made_private_or_refused(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.setenv("BANDMATE_RUNTIME_DIR", str(folder))
    assert runtime_dir() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    runtime_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("BANDMATE_RUNTIME_DIR", str(Path(__file__)))
    with pytest.raises(FolderError):
        runtime_dir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.setenv("BANDMATE_RUNTIME_DIR", str(tmp_path / "link"))
    with pytest.raises(FolderError):
        runtime_dir()
