# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate play` on a real sound system: JACK's dummy driver, MIDI in and PortAudio out."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from support.jack_server import jack_server, ports
from support.sandbox import Sandbox
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(shutil.which("jackd") is None, reason="JACK is not installed")
DEVICE = ["--model", "testtone", "--output", "system"]


@pytest.fixture
def jack_place(sandbox: Sandbox) -> Iterator[dict[str, str]]:
    with jack_server(sandbox) as environment:
        yield environment


def test_midi_of_a_port_is_heard_through_a_device(
    sandbox: Sandbox, jack_place: dict[str, str], tmp_path: Path, monkeypatch
) -> None:
    import jack

    path = tmp_path / "out.wav"
    with (sandbox.root / "play.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bandmate", "play", *DEVICE, "--json", "--record", str(path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=jack_place,
            text=True,
        )  # fmt: skip

    def midi_port() -> str | None:
        assert process.poll() is None, (sandbox.root / "play.log").read_text()
        names = (ports(jack_place) or "").splitlines()
        return next((name for name in names if name.startswith("Bandmate:")), None)

    try:
        port = wait_for(midi_port, "the MIDI port", 60)
        for name in ("JACK_NO_START_SERVER", "JACK_DEFAULT_SERVER"):
            monkeypatch.setenv(name, jack_place[name])
        client = jack.Client(
            "player", servername=jack_place["JACK_DEFAULT_SERVER"], no_start_server=True
        )
        out = client.midi_outports.register("midi")
        turn = [0]

        def strike(frames: int) -> None:
            out.clear_buffer()
            turn[0] += 1
            if turn[0] % 100 == 1:
                out.write_midi_event(5, bytes([0x90, 69, 100]))
            if turn[0] % 100 == 60:
                out.write_midi_event(5, bytes([0x80, 69, 0]))

        client.set_process_callback(strike)
        client.activate()
        client.connect(out, port)

        def is_heard() -> bool:
            time.sleep(0.1)
            return path.exists() and any(path.read_bytes()[4096:])

        wait_for(is_heard, "a note in the file", 60)
        client.deactivate()
        client.close()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0
    assert json.loads(said)["peak"] > 0.1
    assert soundfile.info(path).samplerate == 48000
