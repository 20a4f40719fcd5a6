# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that listens to the network, and plugins that know its address and key alone."""

from __future__ import annotations

import json
import re
import socket
import stat
import time
from collections.abc import Iterator

import numpy as np
import pytest
import zmq
from support.remote_plugin import RemotePlugin, access_key, remote_client
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_off, note_on

from bandmate import _protocol as wire
from bandmate.link import messages
from bandmate.link.client import NoServerError, RefusedError
from bandmate.link.keys import KeyFileError, make_keys, split_access_key
from bandmate.models.testtone import CLICK_LEVEL

TIMES = [0, 1919, 3840, 5000, 48000, 60001]


@pytest.fixture(scope="module")
def studio() -> Iterator[tuple[Sandbox, str, str]]:
    """The server's machine: its place, address and key."""
    place = Sandbox()
    address = f"tcp://127.0.0.1:{free_port()}"
    with running_server(place, "--listen", address):
        yield place, address, access_key(place)
    place.close()


@pytest.fixture
def laptop() -> Iterator[Sandbox]:
    """Another machine's folders: the server never sees them."""
    place = Sandbox()
    yield place
    place.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taps(times: list[int], pitch: int = 60) -> list[np.ndarray]:
    return [e for t in times for e in (note_on(t, pitch), note_off(t + 1, pitch))]


def clicks(sound: np.ndarray) -> list[int]:
    return np.flatnonzero(np.diff(sound[:, 0], prepend=0.0) > CLICK_LEVEL / 2).tolist()


# Sound.


def test_notes_come_out_at_their_own_samples(studio, laptop):
    _, address, key = studio
    with RemotePlugin(laptop, address, key) as plugin:
        reply = plugin.open()
        assert reply.budget_ms > 0
        plugin.begin_epoch()
        assert clicks(plugin.play(40, taps(TIMES), 480)) == TIMES
        assert not plugin.problem
        assert not list(studio[0].runtime.glob("segment-*")), "a name was left"


def test_the_same_samples_as_on_this_machine(studio, laptop):
    place, address, key = studio
    with WirePlugin(place.runtime) as near, RemotePlugin(laptop, address, key) as far:
        heard = []
        for plugin in (near, far):
            plugin.open()
            plugin.begin_epoch(5)
            heard.append(plugin.play(30, taps(TIMES[:4], 71), 333))
        np.testing.assert_array_equal(*heard)


def test_epochs_follow_each_other(studio, laptop):
    _, address, key = studio
    with RemotePlugin(laptop, address, key) as plugin:
        plugin.open()
        for n in range(1, 12):
            plugin.begin_epoch()
            plugin.push(note_on(n))
            plugin.publish(1920 * 2 if n % 3 else 10)
            if n % 3 == 0:
                continue
            assert clicks(plugin.wait_frame(0)) == [n]
        plugin.begin_epoch()
        assert clicks(plugin.play(3, taps([1000]))) == [1000]


def test_more_events_than_a_message_holds(studio, laptop):
    _, address, key = studio
    with RemotePlugin(laptop, address, key) as plugin:
        plugin.open()
        plugin.begin_epoch()
        events = [note_off(1 + n // 100, n % 128) for n in range(3000)]
        assert clicks(plugin.play(3, [*events, *taps([1950])])) == [1950]


def test_the_side_chain_goes_over_too(studio, laptop):
    _, address, key = studio
    with RemotePlugin(laptop, address, key) as plugin:
        plugin.open()
        plugin.begin_epoch()
        for k in range(100):
            level = np.full((1920, 2), k / 100, np.float32)
            wait_for(lambda k=k, level=level: plugin.segment.write_input_frame(1, k, level), "room")
            plugin.publish((k + 1) * 1920)
            plugin.wait_frame(k)
        assert not plugin.problem


# Who may come in.


def test_keys_are_kept_private_and_are_the_same_next_time(sandbox):
    first = access_key(sandbox)
    assert stat.S_IMODE((sandbox.config / "server.key").stat().st_mode) == 0o600
    assert access_key(sandbox) == first
    done = sandbox.bandmate("key", "--new")
    assert done.stdout.strip() == access_key(sandbox) != first


def test_keys_that_others_may_read_or_that_are_none_are_refused(sandbox):
    access_key(sandbox)
    path = sandbox.config / "server.key"
    path.chmod(0o644)
    listen = ("serve", "--listen", "tcp://127.0.0.1:0")
    done = sandbox.bandmate(*listen)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "bandmate key --new" in done.stderr
    path.chmod(0o600)
    path.write_text(json.dumps({"server_secret": "x", "client_secret": "y"}))
    assert "bandmate key --new" in sandbox.bandmate(*listen).stderr


@pytest.mark.parametrize("address", ["", "5733", "tcp://*", "ipc:///x", "tcp://h:99999"])
def test_an_address_that_is_none_is_refused_in_a_line(sandbox, address):
    done = sandbox.bandmate("serve", "--listen", address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "tcp://HOST:PORT" in done.stderr


def test_a_port_in_use_is_refused_in_a_line(sandbox):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = sandbox.bandmate(
            "serve", "--listen", f"tcp://127.0.0.1:{other.getsockname()[1]}", timeout=60
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "free port" in done.stderr


def test_the_key_is_not_written_into_a_log(studio):
    place, _, key = studio
    text = (place.config / "server.log").read_text()
    assert "listening at tcp://" in text
    assert key not in text
    assert not re.search("[0-9a-f]{64}", text)


def test_a_client_without_the_right_keys_is_not_heard(studio, laptop, monkeypatch):
    _, address, key = studio
    other = access_key(laptop)
    half = 3 + 64
    # The right server's public key with somebody else's pair, and a server that it does not know.
    for wrong in (key[:half] + other[half:], other[:half] + key[half:], other):
        with remote_client(laptop, address, wrong) as client, pytest.raises(NoServerError):
            client.request(messages.Ping(), 1.0)
    with zmq.Context() as context, context.socket(zmq.DEALER) as plain:
        plain.setsockopt(zmq.LINGER, 0)
        plain.connect(address)
        plain.send(b"\x81\xa1v\x01")
        assert not plain.poll(1000)
    with remote_client(laptop, address, key) as client:
        assert isinstance(client.request(messages.Ping()), messages.PingReply)


@pytest.mark.parametrize("text", ["", "bm1", "bm1" + "0" * 127, "bm1" + "g" * 128, "0" * 131])
def test_what_is_no_access_key_is_refused(text):
    with pytest.raises(KeyFileError, match="bandmate key"):
        split_access_key(text)


def test_an_access_key_holds_the_public_half_of_the_server(sandbox, monkeypatch):
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(sandbox.config))
    keys = make_keys()
    server_public, client_secret = split_access_key(f" {keys.access_key}\n")
    assert server_public == zmq.curve_public(keys.server_secret)
    assert client_secret == keys.client_secret


# What they may ask for.


def test_it_tells_its_models(studio, laptop):
    _, address, key = studio
    with remote_client(laptop, address, key) as client:
        reply = client.request(messages.Hello("tests", wire.MESSAGE_VERSION))
        assert "testtone" in {model.name for model in reply.models}


def test_files_and_the_server_s_end_are_not_for_clients_elsewhere(studio, laptop):
    _, address, key = studio
    with RemotePlugin(laptop, address, key) as plugin:
        number = plugin.open().session
        target = laptop.root / "bank.safetensors"
        for body in (
            messages.BankSave(number, str(target)),
            messages.BankLoad(number, "/etc/passwd"),
            messages.Prefill(number, "/etc/passwd"),
            messages.TakeSave(number, str(laptop.root / "take.wav"), 10.0),
            messages.StyleSound(number, 0, "/etc/passwd", 2.0),
            messages.ContinueFrom(number, "", 2.0, str(target)),
        ):
            with pytest.raises(RefusedError) as refused:
                plugin.client.request(body)
            assert refused.value.code == "io"
        with pytest.raises(RefusedError, match="cannot end the server"):
            plugin.client.shutdown()
        plugin.begin_epoch()
        assert clicks(plugin.play(3, taps([2000]))) == [2000]
        assert not target.exists()


@pytest.mark.parametrize("name", ["", "stream-12", "stream-" + "z" * 32, "/tmp/segment-1-1"])
def test_a_stream_must_be_named(studio, laptop, name):
    _, address, key = studio
    with remote_client(laptop, address, key) as client, pytest.raises(RefusedError) as refused:
        client.request(messages.Open(name, "testtone", 0, "tests"))
    assert refused.value.code == "bad_segment"


def test_local_clients_still_need_the_token(studio):
    place, _, _ = studio
    with WirePlugin(place.runtime) as plugin:
        object.__setattr__(plugin.client.discovery, "token", "")
        with pytest.raises(RefusedError) as refused:
            plugin.client.request(messages.Ping())
    assert refused.value.code == "bad_token"


# Whatever goes wrong.


def test_damaged_and_foreign_messages_end_nobody_else_s_session(studio, laptop):
    place, address, key = studio
    with (
        RemotePlugin(laptop, address, key) as victim,
        RemotePlugin(laptop, address, key) as other,
        WirePlugin(place.runtime) as near,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as attacker,
    ):
        for plugin in (victim, other, near):
            plugin.open()
            plugin.begin_epoch()
            plugin.play(3, taps([100]))
        from bandmate.link.keys import show_key

        attacker.setsockopt(zmq.LINGER, 0)
        show_key(attacker, key)
        attacker.connect(address)
        random = np.random.default_rng(1)
        for _ in range(300):
            size = int(random.integers(0, 300))
            attacker.send(wire.STREAM_MAGIC + random.bytes(size))
            attacker.send(random.bytes(size))
        # With the ticket of one stream: that one ends, with a word to its plugin.
        fields = {"index": 0, "epoch": 1, "flags": 0, "held_us": 0}
        wild = wire.encode_stream_sound(
            True, victim.ticket, 7, fields, np.zeros((3, 1), np.float32)
        )
        attacker.send(wild)
        wait_for(lambda: victim.client.receive(0.1) or victim.client.pushes, "the session's end")
        assert isinstance(victim.client.pushes[-1], messages.Closed)
        for plugin in (other, near):
            plugin.begin_epoch()
            assert clicks(plugin.play(20, taps([3000, 20000]))) == [3000, 20000]


def test_a_client_that_does_not_read_holds_up_nobody(studio, laptop):
    place, address, key = studio
    with RemotePlugin(laptop, address, key) as stuck, WirePlugin(place.runtime) as near:
        stuck.open()
        stuck.begin_epoch()
        stuck.play(2)
        stuck.is_cut.set()
        near.open()
        near.begin_epoch()
        assert clicks(near.play(60, taps([3000, 100000]))) == [3000, 100000]
        assert not [flags for flags in near.flags.values() if flags & wire.FRAME_GAP]


def test_a_silent_client_s_session_ends_and_its_memory_goes(studio, laptop):
    _, address, key = studio
    with (
        remote_client(laptop, address, key) as watcher,
        RemotePlugin(laptop, address, key) as plugin,
    ):
        plugin.open()
        plugin.begin_epoch()
        plugin.play(2)
        plugin.is_cut.set()
        begun = time.monotonic()
        wait_for(lambda: plugin.session not in {s.session for s in watcher.status()}, "its end", 60)
        assert time.monotonic() - begun > 5  # not for a short cut
