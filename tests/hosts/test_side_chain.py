# SPDX-License-Identifier: GPL-3.0-or-later
"""The processor that ships, live, with a real side chain and server: what its buttons do."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from support.paths import built
from support.sandbox import Sandbox

from bandmate.session.events import EventKind
from bandmate.session.midi import read_midi

RATE = 48000


def buttons(sandbox: Sandbox) -> dict[str, str]:
    """Presses them all; returns what each gave."""
    sandbox.install_plugin()
    time = np.arange(6 * RATE) / RATE
    clip = sandbox.root / "clip.wav"
    soundfile.write(clip, 0.3 * np.sin(2 * np.pi * 330 * time) * np.exp(-2 * (time % 0.7)), RATE)
    environment = {**sandbox.environment, "BANDMATE_MODEL": "pico"}
    done = sandbox.run([built("side_chain_host"), sandbox.root / "take.wav", clip], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    lines = [line.split(" ", 1) for line in done.stdout.splitlines() if " " in line]
    return {name: value.strip() for name, value in lines}


@pytest.mark.long
def test_styles_takes_and_banks_from_a_real_side_chain(sandbox: Sandbox) -> None:
    said = buttons(sandbox)
    assert said["early"].startswith("There is no session yet")
    assert said["capture"] == said["file"] == said["bank"] == said["reset"] == "done"
    assert "none.wav" in said["missing"]
    assert said["sounds"] == "1 1 0"
    assert said["name"] == "clip.wav"
    assert said["kept"] == "1"
    assert said["complaint"] == ""
    assert 0.0 < float(said["loudest"]) <= 1.0
    # A model without an encoder of sound says so; one that has it keeps the new beginning.
    assert said["continue"] == "done" or "no encoder" in said["continue"]
    assert said["armed"] == ("1" if said["continue"] == "done" else "0")
    assert said["take"] == "done"
    audio, rate = soundfile.read(sandbox.root / "take.wav", dtype="float32", always_2d=True)
    assert rate == RATE
    assert np.abs(audio).max() > 0.0
    clip = read_midi(sandbox.root / "take.mid", RATE)
    assert [e.number for e in clip.events if e.kind is EventKind.NOTE_ON] == [60]
