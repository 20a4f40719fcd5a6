# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate play`, run as a user does: keys typed into a terminal, sound into a file."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile
from support.clicks import sharp_clicks
from support.sandbox import Sandbox
from support.waiting import wait_for

RATE = 48000
HEADER_BYTES = 4096
TONE = ["--model", "testtone", "--no-midi", "--output", "none"]


def test_keys_of_a_terminal_play_and_are_recorded(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bandmate", "play", *TONE, "--json", "--record", str(path)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=sandbox.environment,
        text=True,
    )
    try:
        assert process.stderr is not None
        wait_for(lambda: "testtone plays" in process.stderr.readline(), "the start", 60)

        def is_heard() -> bool:
            os.write(ours, b"ad")  # a busy machine may miss the first notes
            time.sleep(0.1)
            return any(path.read_bytes()[HEADER_BYTES:])

        wait_for(is_heard, "a note in the file", 60)
        os.write(ours, b"q")
        said, complaints = process.communicate(timeout=120)
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, complaints
    result = json.loads(said)
    assert result["model"] == "testtone"
    assert 0.0 < result["peak"] <= 1.0
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    assert np.abs(audio).max() == np.float32(result["peak"])
    assert np.abs(audio).max() > 0.1


def test_a_note_sounds_the_told_time_after_it_was_played() -> None:
    import mido

    from bandmate.engine.engine import Engine
    from bandmate.play.instrument import Instrument
    from bandmate.session.session import Session

    with Engine() as engine:
        loaded = engine.load("testtone").result()
        instrument = Instrument(Session(loaded.bundle, loaded.encoder), 2.0, 256)
        engine.attach(loaded, instrument).result()
        heard = []
        struck = []
        for block in range(200):
            if block % 40 == 10:
                instrument.play(mido.Message("note_on", note=60 + block // 40, velocity=100))
                instrument.play(mido.Message("note_off", note=59 + block // 40))
                struck.append(block * 256)
            # As an audio device would: not before the frame that is due has been made.
            due = ((block + 1) * 256 - 1 - instrument.latency_samples) // 1920
            wait_for(lambda due=due: len(instrument.frame_ms) > due, f"frame {due}")
            heard.append(instrument.pull(256))
        engine.detach(instrument).result()
    clicks = sharp_clicks(np.concatenate(heard)[:, 0])
    assert instrument.underruns == 0
    assert len(clicks) == len(struck)
    # Within the block that it was played in.
    late = [
        at - begin - instrument.latency_samples for at, begin in zip(clicks, struck, strict=True)
    ]
    assert all(0 <= more < 256 for more in late)


def test_without_a_device_or_port_one_line_says_what_to_do(sandbox: Sandbox) -> None:
    play = ["play", "--model", "testtone"]
    for arguments, word in (
        (["--no-midi", "--output", "no such device"], "--output none"),
        (["--output", "none", "--port", "no such port"], "MIDI"),
        (["--no-midi", "--output", "none", "--record", "/nowhere/x.wav"], "/nowhere/x.wav"),
    ):
        done = sandbox.bandmate(*play, *arguments, stdin=subprocess.DEVNULL)
        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if line.startswith("bandmate:")]
        assert len(lines) == 1, done.stderr
        assert word in lines[0]
