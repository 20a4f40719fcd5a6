# SPDX-License-Identifier: GPL-3.0-or-later
"""The built plugin with a server elsewhere: its folders are others, address and key are all it has.

Here the way between the two is this machine's own; test_remote_network.py has a real one.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.clicks import clicks
from support.pedalboard_host import Note, load, play
from support.played_notes import NotesHost
from support.remote_plugin import access_key, remote_client
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for

SPARE = 48000


@pytest.fixture(scope="module")
def studio() -> Iterator[tuple[Sandbox, str, str]]:
    """The server's machine: its place, address and key."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    place = Sandbox()
    with running_server(place, "--listen", address):
        yield place, address, access_key(place)
    place.close()


@pytest.fixture
def laptop(studio) -> Iterator[Sandbox]:
    """A machine with the plugin alone: no settings, and no server that it could start."""
    _, address, key = studio
    place = Sandbox(
        BANDMATE_MODEL="testtone",
        BANDMATE_LATENCY="400",
        BANDMATE_SERVER_COMMAND="/bin/false",
        BANDMATE_SERVER_ADDRESS=address,
        BANDMATE_SERVER_KEY=key,
    )
    yield place
    place.close()


@pytest.fixture
def far(studio, monkeypatch) -> None:
    """Plugins that this process loads from now on play with the studio."""
    _, address, key = studio
    monkeypatch.setenv("BANDMATE_SERVER_ADDRESS", address)
    monkeypatch.setenv("BANDMATE_SERVER_KEY", key)


def test_a_laptop_that_knows_nothing_but_address_and_key(laptop: Sandbox) -> None:
    played = NotesHost(laptop, 12).result()
    assert not played.strays
    assert len(played.heard) >= 3
    (server,) = json.loads((laptop.config / "remote.json").read_text())["servers"].values()
    assert "testtone" in {model["name"] for model in server["models"]}
    assert 0 < server["network_ms"] < 500
    assert not list(laptop.runtime.glob("segment-*"))


def test_an_offline_render_waits_for_each_frame(far, vst3: Path) -> None:
    notes = [Note(at, at + 4800, 60 + 3 * i) for i, at in enumerate((0, 9603, 24001, 38393))]
    plugin = load(vst3)
    heard = clicks(play(plugin, notes, 48000 + SPARE, 48000, 333)[:, 0])
    assert heard == [note.on + plugin.reported_latency_samples for note in notes]


def test_it_is_the_same_sound_as_from_this_machine(studio, vst3: Path, monkeypatch) -> None:
    _, address, key = studio
    notes = [Note(at, at + 30000, 55 + i) for i, at in enumerate((7, 20011, 40009))]
    sounds = []
    for variables in ({}, {"BANDMATE_SERVER_ADDRESS": address, "BANDMATE_SERVER_KEY": key}):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        plugin = load(vst3)
        audio = play(plugin, notes, 96000 + SPARE, 48000, 512)
        latency = plugin.reported_latency_samples
        sounds.append(audio[latency : latency + 90000])
    np.testing.assert_array_equal(*sounds)
    assert sounds[0].any()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"BANDMATE_SERVER_KEY": ""}, "access key"),
        ({"BANDMATE_SERVER_KEY": "bm1234"}, "no access key"),
        ({"BANDMATE_SERVER_ADDRESS": "studio:5733"}, "tcp://"),
        ({"BANDMATE_SERVER_ADDRESS": "tcp://127.0.0.1:9"}, "does not answer"),
    ],
)
def test_what_is_wrong_is_said(far, vst3: Path, monkeypatch, variables, said) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    plugin = load(vst3)

    def status() -> str:
        play(plugin, [], 512, reset=False)
        return str(plugin.parameters["status"].string_value)

    wait_for(lambda: said in status(), said, 30)
    assert not play(plugin, [Note(0, 4800)], 4800, reset=False).any()


def test_a_studio_that_starts_again_is_found_again(vst3: Path, laptop: Sandbox) -> None:
    place = Sandbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    key = access_key(place)
    laptop.variables |= {"BANDMATE_SERVER_ADDRESS": address, "BANDMATE_SERVER_KEY": key}
    host = None
    try:
        with running_server(place, "--listen", address):
            host = NotesHost(laptop, 25)
            with remote_client(laptop, address, key) as client:
                wait_for(lambda: any(s.frames > 100 for s in client.status()), "frames", 120)
            place.kill_server()
        time.sleep(2.0)  # longer than what has been played ahead
        with running_server(place, "--listen", address):
            played = host.result()
    finally:
        if host is not None and host.is_running:
            host.kill()
        place.close()
    assert not played.strays
    assert played.missing or played.underruns, "the server's end was not heard"
    last_missing = max(played.missing, default=0)
    assert [at for at in played.heard if at > last_missing], "it has not come back"
