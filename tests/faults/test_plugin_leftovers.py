# SPDX-License-Identifier: GPL-3.0-or-later
"""What crashes, other versions and full disks leave in a plugin's way is named and got over."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator

import msgpack
import numpy as np
import pytest
import zmq
from support.clicks import clicks
from support.file_player import play_file
from support.paths import MUSIC
from support.sandbox import Sandbox

PIECE = MUSIC / "heldout_mono.mid"
FIRST_NOTES = 3  # of the piece, in its first second and a half
A_DEAD_PID = 2**22 - 3  # larger than Linux gives out by default


@pytest.fixture
def home() -> Iterator[Sandbox]:
    place = Sandbox(BANDMATE_MODEL="testtone")
    place.install_plugin()
    yield place
    place.close()


def check_that_it_plays(place: Sandbox) -> None:
    report, audio = play_file(place, PIECE, 1.5)
    assert report["status"] == "ready", report
    assert len(clicks(audio[:, 0])) >= FIRST_NOTES


def discovery(place: Sandbox, **changes: object) -> None:
    content = {
        "protocol": 1,
        "pid": A_DEAD_PID,
        "endpoint": f"ipc://{place.runtime}/control",
        "token": "00" * 16,
        "started": 1.0,
        "version": "0.1.0",
    }
    (place.runtime / "server.json").write_text(json.dumps({**content, **changes}))


def test_a_discovery_file_of_a_dead_server(home: Sandbox) -> None:
    discovery(home)
    (home.runtime / "control").touch()
    check_that_it_plays(home)


def test_a_discovery_file_whose_process_is_another(home: Sandbox) -> None:
    """Process ids are used again: this one lives, but is no server."""
    discovery(home, pid=os.getpid())
    check_that_it_plays(home)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'{"pid": "many"}', b"[]"])
def test_a_discovery_file_that_is_none(home: Sandbox, content: bytes) -> None:
    (home.runtime / "server.json").write_bytes(content)
    check_that_it_plays(home)


def test_segments_of_dead_plugins_are_swept(home: Sandbox) -> None:
    left = [home.runtime / f"segment-{A_DEAD_PID}-{i}" for i in range(3)]
    for file in left:
        file.write_bytes(bytes(100_000))
    check_that_it_plays(home)
    assert not [file for file in left if file.exists()]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": 3}'])
def test_settings_that_are_broken_are_named(home: Sandbox, content: str) -> None:
    path = home.config / "engine.json"
    path.write_text(content)
    report, audio = play_file(home, PIECE, 0.5)
    assert not audio.any()
    assert "plugin install" in report["status"], report
    home.install_plugin()
    check_that_it_plays(home)


@pytest.fixture
def full_runtime(home: Sandbox) -> Iterator[Sandbox]:
    """The private folder on a file system too small for a segment."""
    options = f"size=64k,mode=700,uid={os.getuid()}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(home.runtime)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small file system here")
    yield home
    if process := home.server():
        process.kill()
        process.wait(10)
    subprocess.run(["umount", "-l", str(home.runtime)], capture_output=True)


def test_a_full_disk_is_named_and_got_over(full_runtime: Sandbox) -> None:
    report, audio = play_file(full_runtime, PIECE, 0.5)
    assert not audio.any()
    assert "space" in report["status"].lower() or "full" in report["status"].lower(), report
    command = ["mount", "-o", "remount,size=64m", str(full_runtime.runtime)]
    subprocess.run(command, check=True)
    check_that_it_plays(full_runtime)


class OtherVersion(threading.Thread):
    """A server of a version to come: it refuses everything, as PROTOCOL.md tells it to."""

    def __init__(self, place: Sandbox) -> None:
        super().__init__(daemon=True)
        self.endpoint = f"ipc://{place.runtime}/newer"
        self.greetings = 0
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind(self.endpoint)
        self._ending = threading.Event()
        self.start()

    def run(self) -> None:
        hint = "Install one Bandmate for both."
        error = {"code": "unsupported_version", "message": "Version 9 is spoken.", "hint": hint}
        while not self._ending.is_set():
            if not self._socket.poll(50):
                continue
            peer, body = self._socket.recv_multipart()
            self.greetings += 1
            request = msgpack.unpackb(body)
            reply = {"v": 1, "re": request["id"], "ok": False, "error": error}
            self._socket.send_multipart([peer, msgpack.packb(reply)])

    def end(self) -> None:
        self._ending.set()
        self.join()
        self._socket.close(0)
        self._context.term()


def test_a_server_of_another_version_is_named(home: Sandbox) -> None:
    newer = OtherVersion(home)
    try:
        discovery(home, pid=os.getpid(), protocol=9, endpoint=newer.endpoint, version="9.0")
        report, audio = play_file(home, PIECE, 0.5)
    finally:
        newer.end()
    if audio.any():
        # It may instead find that this is no server it can use, and start its own.
        assert report["status"] == "ready"
    else:
        assert "Install one Bandmate" in report["status"], report
    assert np.isfinite(audio).all()
    (home.runtime / "server.json").unlink(missing_ok=True)
    check_that_it_plays(home)
