# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server process, real socket, real shared memory; these tests play the plugin."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_off, note_on, parameter, record

from bandmate import _protocol as wire
from bandmate.errors import BandmateError
from bandmate.link import codec, messages
from bandmate.link.client import Client, RefusedError
from bandmate.models.testtone import CLICK_LEVEL

TIMES = [0, 1919, 3840, 5000, 48000, 60001]  # far enough apart that each note is alone


@pytest.fixture
def server(sandbox: Sandbox):
    with running_server(sandbox) as process:
        yield process


def taps(times: list[int], pitch: int = 60) -> list[np.ndarray]:
    """Short notes at these samples."""
    return [e for t in times for e in (note_on(t, pitch), note_off(t + 1, pitch))]


def clicks(sound: np.ndarray) -> list[int]:
    """Samples of the test tone's onsets: jumps that no sine makes."""
    return np.flatnonzero(np.diff(sound[:, 0], prepend=0.0) > CLICK_LEVEL / 2).tolist()


def assert_alive(folder: Path) -> None:
    """The server still plays."""
    with WirePlugin(folder) as plugin:
        plugin.open()
        plugin.begin_epoch()
        assert clicks(plugin.play(3, taps([2000]))) == [2000]


# Sound.


@pytest.mark.parametrize("block", [1, 480, 1920, 5000])
def test_notes_come_out_at_their_own_samples(server, sandbox, block):
    with WirePlugin(sandbox.runtime) as plugin:
        reply = plugin.open()
        assert reply.frame.frame_samples == plugin.spec.frame_samples
        assert reply.budget_ms > 0
        times = TIMES[:3] if block == 1 else TIMES
        plugin.begin_epoch()
        assert clicks(plugin.play(3 if block == 1 else 40, taps(times), block)) == times


def test_live_equals_render(server, sandbox, tmp_path):
    """The same events through shared memory and through `bandmate render` give the same samples."""
    ticks = 24000  # at 120 bpm a tick is a sample
    file, track = mido.MidiFile(ticks_per_beat=ticks), mido.MidiTrack()
    file.tracks.append(track)
    events, now = [], 0
    random = np.random.default_rng(1)
    for step in random.integers(1, 6000, 30):
        pitch = int(random.integers(40, 90))
        track.append(mido.Message("note_on", note=pitch, velocity=100, time=int(step)))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=777))
        now += int(step)
        events.append(note_on(now, pitch))
        now += 777
        events.append(note_off(now, pitch))
    file.save(tmp_path / "in.mid")
    done = sandbox.bandmate(
        "render", tmp_path / "in.mid", tmp_path / "out.wav", "--model", "testtone", "--midi-gate",
        "--json", "--tail", "0.5",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rendered, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 48000
    assert json.loads(done.stdout)["samples"] == len(rendered)
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch(0, parameter(0, wire.ParameterId.MIDI_GATE, 1))
        live = plugin.play(-(-len(rendered) // 1920), events, 333)
    np.testing.assert_array_equal(live[: len(rendered)], rendered)
    assert rendered.any()


def test_a_new_epoch_starts_at_0_and_the_old_one_is_left(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.push(note_on(100))
        plugin.publish(1000)  # in the middle of frame 0
        plugin.begin_epoch(0, note_on(0, 50))
        sound = plugin.play(3, taps([2500]))
        assert clicks(sound) == [0, 2500]
        assert not [key for key in plugin.frames if key[0] == 1]
        assert plugin.segment.server_epoch == 2


def test_many_epochs_in_a_row(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        for n in range(1, 30):
            plugin.begin_epoch()
            plugin.push(note_on(n))
            plugin.publish(1920 * 2 if n % 3 else 10)
            if n % 3 and n % 5 == 0:
                assert clicks(plugin.wait_frame(0)) == [n]
        plugin.begin_epoch()
        assert clicks(plugin.play(2, taps([1000]))) == [1000]


def test_a_full_ring_waits_and_loses_nothing(server, sandbox):
    with WirePlugin(sandbox.runtime, audio_slots=4) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.push(*taps([100, 5 * 1920 + 7, 11 * 1920 + 9]))
        plugin.publish(12 * 1920)
        wait_for(lambda: plugin.segment.server_frames == 4, "four frames in a ring of four")
        for k in range(12):
            plugin.wait_frame(k)
        sound = np.concatenate([plugin.frames[1, k] for k in range(12)])
        assert clicks(sound) == [100, 5 * 1920 + 7, 11 * 1920 + 9]


def test_a_ring_that_is_never_read_holds_up_nobody(server, sandbox):
    with WirePlugin(sandbox.runtime, audio_slots=4) as stuck:
        stuck.open()
        stuck.begin_epoch()
        stuck.publish(1920 * 20)
        wait_for(lambda: stuck.segment.server_frames == 4, "a full ring")
        with WirePlugin(sandbox.runtime) as other:
            other.open()
            other.begin_epoch()
            assert clicks(other.play(30, taps([3000, 50000]))) == [3000, 50000]
        assert stuck.segment.server_frames == 4


def test_a_live_stream_far_behind_goes_on_at_the_present(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.push(note_on(100), note_off(200 * 1920 + 5))
        plugin.publish(250 * 1920)
        plugin.wait_frame(249)
        assert (1, 0) not in plugin.frames
        assert plugin.flags[1, min(k for _, k in plugin.frames)] & wire.FRAME_GAP
        plugin.push(note_on(250 * 1920 + 3))
        plugin.publish(251 * 1920)
        assert clicks(plugin.wait_frame(250)) == [3]


def test_many_sessions_play_together(server, sandbox):
    plugins = [WirePlugin(sandbox.runtime) for _ in range(10)]
    try:
        for n, plugin in enumerate(plugins):
            plugin.open()
            plugin.begin_epoch()
            plugin.push(*taps([n + 10, 3 * 1920 + n]))
        for end in range(480, 6 * 1920 + 1, 480):
            for plugin in plugins:
                plugin.publish(end)
        for n, plugin in enumerate(plugins):
            for k in range(6):
                for other in plugins:  # as each one's own thread does while we wait for this one
                    other.segment.plugin_beat()
                plugin.wait_frame(k)
            sound = np.concatenate([plugin.frames[1, k] for k in range(6)])
            assert clicks(sound) == [n + 10, 3 * 1920 + n]
        with Client.connect(sandbox.runtime) as client:
            assert len(client.status()) == 10
    finally:
        for plugin in plugins:
            with contextlib.suppress(BandmateError):  # one that failed must not leave nine behind
                plugin.client.request(messages.Close(plugin.session))
            plugin.__exit__()
    with Client.connect(sandbox.runtime) as client:
        assert client.status() == ()


def test_illegal_records_are_skipped(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.push(
            record(5, wire.EventType.NOTE_ON, 0, 200, 0.5),  # no such pitch
            record(5, wire.EventType.PARAMETER, 0, 999, 0.5),  # no such parameter
            record(5, wire.EventType.PARAMETER, 0, int(wire.ParameterId.TOP_K), float("nan")),
            record(6, wire.EventType.PITCH_BEND, 0, 0, 0.5),
            record(7, wire.EventType.TRANSPORT, 0, 1, 120.0),
        )
        assert clicks(plugin.play(2, taps([1000]))) == [1000]


# Requests.


def refusal(plugin: WirePlugin, body: messages.RequestBody) -> str:
    with pytest.raises(RefusedError) as refused:
        plugin.client.request(body)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value.code


def test_hello_and_models(server, sandbox):
    with Client.connect(sandbox.runtime) as client:
        hello = client.request(messages.Hello("tests 1", 1))
        assert isinstance(hello, messages.HelloReply)
        assert hello.protocol == wire.MESSAGE_VERSION
        assert "testtone" in [model.name for model in hello.models]
        newer = client.request(messages.Hello("tests from the future", 99))
        assert newer.protocol == wire.MESSAGE_VERSION
        assert isinstance(client.request(messages.Ping()), messages.PingReply)


def test_refusals(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        here = str(plugin.path)
        assert refusal(plugin, messages.Open(here, "no such", 0, "t")) == "unknown_model"
        assert refusal(plugin, messages.Open("/etc/passwd", "testtone", 0, "t")) == "bad_segment"
        missing = str(sandbox.runtime / "segment-1-1")
        assert refusal(plugin, messages.Open(missing, "testtone", 0, "t")) in ("io", "bad_segment")
        up = str(sandbox.runtime / ".." / "run" / plugin.path.name)
        assert refusal(plugin, messages.Open(up, "testtone", 0, "t")) == "bad_segment"
        assert refusal(plugin, messages.SetPrompts(7, 1, ())) == "unknown_session"
        assert refusal(plugin, messages.Close(7)) == "unknown_session"
        assert refusal(plugin, messages.Status(7)) == "unknown_session"
    assert_alive(sandbox.runtime)


def test_a_segment_that_does_not_fit_the_model(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        wrong = plugin.path.with_name(plugin.path.name + "-wrong")
        wire.Segment.create(wrong, 44100, 2, 1920)
        assert refusal(plugin, messages.Open(str(wrong), "testtone", 0, "t")) == "bad_segment"
        garbage = plugin.path.with_name(plugin.path.name + "-garbage")
        garbage.write_bytes(os.urandom(100_000))
        assert refusal(plugin, messages.Open(str(garbage), "testtone", 0, "t")) == "bad_segment"
        link = plugin.path.with_name(plugin.path.name + "-link")
        link.symlink_to("/etc/passwd")
        code = refusal(plugin, messages.Open(str(link), "testtone", 0, "t"))
        assert code in ("bad_segment", "io")
    assert_alive(sandbox.runtime)


def test_sessions_of_others_are_out_of_reach(server, sandbox):
    with WirePlugin(sandbox.runtime) as mine, WirePlugin(sandbox.runtime) as other:
        mine.open()
        assert refusal(other, messages.Close(mine.session)) == "unknown_session"
        assert refusal(other, messages.SetPrompts(mine.session, 1, ())) == "unknown_session"
        mine.begin_epoch()
        assert clicks(mine.play(2, taps([9]))) == [9]


def raw_answer(client: Client, *parts: bytes) -> messages.ErrorReply:
    client.send_bytes(*parts)
    reply = client.receive()
    assert reply is not None
    assert isinstance(reply.body, messages.ErrorReply)
    return reply.body


def test_wrong_token_and_wrong_version(server, sandbox):
    with Client.connect(sandbox.runtime) as client:
        request = messages.Request(5, "0" * 32, messages.Ping())
        assert raw_answer(client, codec.encode(request)).code == "bad_token"
        right = messages.Request(6, client.discovery.token, messages.Ping())
        version = codec.encode(right).replace(b"\xa1v\x01", b"\xa1v\x63", 1)
        answer = raw_answer(client, version)
        assert answer.code == "unsupported_version"
        assert answer.hint
    assert_alive(sandbox.runtime)


def test_messages_that_are_none(server, sandbox):
    random = np.random.default_rng(5)
    with Client.connect(sandbox.runtime) as client:
        good = codec.encode(messages.Request(1, client.discovery.token, messages.Status(0)))
        bad = [b"", b"\x80", b"hello", b"\xc1", good[:-1], good + b"\0", b"\x81" * 5000]
        for _ in range(200):
            place = int(random.integers(len(good)))
            flipped = bytearray(good)
            flipped[place] ^= int(random.integers(1, 256))
            bad.append(bytes(flipped))
        for data in bad:
            client.send_bytes(data)
            assert client.receive() is not None
        assert raw_answer(client, good, good).code == "bad_message"
        unknown = good.replace(b"\xa6status", b"\xa6strange")
        assert raw_answer(client, unknown).code in ("unknown_type", "bad_message")
    assert_alive(sandbox.runtime)


def test_prompts_of_a_model_without_styles_are_acknowledged(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        reply = plugin.set_prompts(3, "warm piano", "")
        assert (reply.session, reply.revision) == (plugin.session, 3)
        (status,) = plugin.client.status()
        assert (status.revision, status.state) == (3, "ready")


# Coming and going.


def test_close_lets_go_of_the_segment(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.play(2)
        plugin.client.request(messages.Close(plugin.session))
        assert plugin.segment.server_state == wire.ServerState.CLOSED
        assert plugin.client.status() == ()
        assert refusal(plugin, messages.Close(plugin.session)) == "unknown_session"


def test_heartbeats_come_without_frames(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        first = plugin.segment.server_heartbeat_ns
        wait_for(lambda: plugin.segment.server_heartbeat_ns > first, "a heartbeat", 2.0)


def test_a_silent_plugin_is_closed_and_told_why(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin, WirePlugin(sandbox.runtime) as other:
        plugin.open()
        other.open()
        other.begin_epoch()

        def closed() -> bool:
            other.segment.plugin_beat()
            plugin.client.receive(0.05)
            return bool(plugin.client.pushes)

        wait_for(closed, "the push that the session is closed", 30.0)
        push = plugin.client.pushes[0]
        assert isinstance(push, messages.Closed)
        assert push.session == plugin.session
        assert "silent" in push.reason
        with pytest.raises(RefusedError, match=r"is over.*silent"):
            other.client.request(messages.Status(plugin.session))
        assert plugin.segment.server_state == wire.ServerState.FAILED
        assert clicks(other.play(2, taps([9]))) == [9]


def test_a_plugin_that_breaks_its_ring_is_closed_alone(server, sandbox):
    offset_of_events_written = 320  # protocol/PROTOCOL.md
    with WirePlugin(sandbox.runtime) as bad, WirePlugin(sandbox.runtime) as good:
        copy = bad.path.with_name(bad.path.name + "-kept")
        os.link(bad.path, copy)
        bad.open()
        good.open()
        bad.begin_epoch()
        good.begin_epoch()
        bad.play(2)
        with copy.open("r+b") as file:
            file.seek(offset_of_events_written)
            file.write((2**63).to_bytes(8, "little"))
        copy.unlink()

        def closed() -> bool:
            bad.publish(bad.position + 480)
            bad.client.receive(0.05)
            return bool(bad.client.pushes)

        wait_for(closed, "the push that the session is closed", 5.0)
        assert "damaged" in bad.client.pushes[0].reason
        assert clicks(good.play(2, taps([9]))) == [9]


def test_sigterm_tells_plugins_and_cleans_up(server, sandbox):
    with WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.play(2)
        server.send_signal(signal.SIGTERM)
        wait_for(lambda: plugin.client.receive(0.05) or plugin.client.pushes, "the push")
        assert "shutting down" in plugin.client.pushes[0].reason
        wait_for(lambda: server.poll() is not None, "the server's end")
        assert server.returncode == 0
        assert plugin.segment.server_state == wire.ServerState.CLOSED
    left = sorted(path.name for path in sandbox.runtime.iterdir())
    assert left == ["server.lock"]


def test_kill_and_restart(sandbox):
    with running_server(sandbox) as first, WirePlugin(sandbox.runtime) as plugin:
        plugin.open()
        plugin.begin_epoch()
        plugin.play(2)
        beat = plugin.segment.server_heartbeat_ns
        first.kill()
        first.wait()
        (sandbox.runtime / "segment-999999999-1").write_bytes(b"left by a dead plugin")
        assert (sandbox.runtime / "server.json").exists()
        assert plugin.segment.server_heartbeat_ns >= beat
        with running_server(sandbox) as second:
            assert second.pid != first.pid
            assert not (sandbox.runtime / "segment-999999999-1").exists()
            assert_alive(sandbox.runtime)


def test_second_server_gives_one_line_and_harms_nothing(server, sandbox):
    done = sandbox.bandmate("serve")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(server.pid) in done.stderr
    assert_alive(sandbox.runtime)


def test_stale_discovery_file_is_replaced(sandbox):
    (sandbox.runtime / "server.json").write_text(
        json.dumps(
            {
                "protocol": 1,
                "pid": 999999999,
                "endpoint": "ipc:///nowhere",
                "token": "00",
                "started": 0.0,
                "version": "0",
            }
        )
    )
    (sandbox.runtime / "control").write_text("left by a crash")
    with running_server(sandbox) as server:
        assert sandbox.discovery()["pid"] == server.pid
        assert_alive(sandbox.runtime)


def test_idle_exit(sandbox):
    with running_server(sandbox, "--idle-exit", "0.5") as server:
        with WirePlugin(sandbox.runtime) as plugin:
            plugin.open()
            plugin.begin_epoch()
            plugin.play(40)
            assert server.poll() is None
            plugin.client.request(messages.Close(plugin.session))
        wait_for(lambda: server.poll() is not None, "the idle server's end", 10.0)
        assert server.returncode == 0
        assert sandbox.discovery() is None


def test_stop_and_status_commands(sandbox):
    with running_server(sandbox) as server:
        with WirePlugin(sandbox.runtime) as plugin:
            plugin.open()
            report = json.loads(sandbox.bandmate("serve", "--status", "--json").stdout)
            assert report["pid"] == server.pid
            assert [s["model"] for s in report["sessions"]] == ["testtone"]
        done = sandbox.bandmate("serve", "--stop")
        assert done.returncode == 0, done.stderr
        server.wait(60)
    done = sandbox.bandmate("serve", "--stop")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_private_folder_is_private(server, sandbox):
    assert sandbox.runtime.stat().st_mode & 0o077 == 0
    assert (sandbox.runtime / "server.json").stat().st_mode & 0o077 == 0
    assert (sandbox.runtime / "server.lock").stat().st_mode & 0o077 == 0


def test_a_folder_too_deep_for_a_socket_says_so(sandbox):
    deep = sandbox.root / ("x" * 110)
    done = sandbox.bandmate("serve", env={**sandbox.environment, "BANDMATE_RUNTIME_DIR": str(deep)})
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "BANDMATE_RUNTIME_DIR" in done.stderr


def test_broken_bundle_is_one_refusal_and_no_harm(sandbox):
    models = sandbox.config / "models"
    for name, content in {
        "garbage": "{",
        "stranger": '{"format": 1, "family": "alien", "name": "stranger", "frame": {}}',
        "newer": '{"format": 99}',
    }.items():
        (models / name).mkdir(parents=True)
        (models / name / "bundle.json").write_text(content)
    with running_server(sandbox), WirePlugin(sandbox.runtime) as plugin:
        for name in ("garbage", "stranger", "newer"):
            request = messages.Open(str(plugin.path), name, 0, "t")
            assert refusal(plugin, request) == "model_failed"
        listed = plugin.client.request(messages.ListModels())
        assert "testtone" in [model.name for model in listed.models]
        assert "garbage" not in [model.name for model in listed.models]
        assert_alive(sandbox.runtime)
