# SPDX-License-Identifier: GPL-3.0-or-later
"""The same events and seed give the same samples: plugin or command line, once or again.

With the bundled model, not the test tone: every frame hangs on all before it, so a note one frame
late, a random number drawn twice or a frame lost would show to the end of the piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.file_player import play_file
from support.paths import MUSIC
from support.sandbox import Sandbox

PIECE = MUSIC / "heldout_mixed.mid"
SECONDS = 6.0
STYLE = "warm piano"
# All that the two have defaults of their own for
PARAMETERS = {
    "temperature": 1.0,
    "top_k": 40,
    "style_guidance": 3.0,
    "note_guidance": 1.0,
    "drum_guidance": 1.0,
    "unmask_width": 12,
}
# The plugin's own, which would change the loudest samples
PLUGIN_PARAMETERS = {"limiter": False}
OPTIONS = {"style_guidance": "guidance_style", "note_guidance": "guidance_notes"}
OPTIONS["drum_guidance"] = "guidance_drums"


@pytest.fixture(scope="module")
def home() -> Iterator[Sandbox]:
    place = Sandbox(BANDMATE_MODEL="pico")
    place.install_plugin()
    yield place
    place.close()


def by_plugin(place: Sandbox, seed: int, **job) -> np.ndarray:
    """The plugin's sound with the reported latency taken off."""
    parameters = {**PARAMETERS, **PLUGIN_PARAMETERS, "seed": seed}
    report, audio = play_file(
        place, PIECE, SECONDS + 1.0, styles=[STYLE], parameters=parameters, **job
    )
    assert report["model"] == "pico"
    assert report["underruns"] == 0, report
    return audio[report["latency"] :][: round(SECONDS * 48000)]


def by_command(place: Sandbox, seed: int) -> np.ndarray:
    out = place.root / "rendered.wav"
    options = [
        part
        for name, value in PARAMETERS.items()
        for part in ("--" + OPTIONS.get(name, name).replace("_", "-"), str(value))
    ]
    done = place.bandmate("render", PIECE, out, "--style", STYLE, "--seed", str(seed), *options)
    assert done.returncode == 0, done.stderr
    return soundfile.read(out, dtype="float32")[0][: round(SECONDS * 48000)]


def test_twice_the_same_and_the_same_as_rendered(home: Sandbox) -> None:
    first, again = by_plugin(home, 5), by_plugin(home, 5, block=333)
    assert np.abs(first).max() > 0.01, "it must have played"
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, by_command(home, 5))
    assert not np.array_equal(first, by_plugin(home, 6)), "the seed must matter"


def test_the_gate_is_silent_without_notes(home: Sandbox, tmp_path: Path) -> None:
    """Four seconds of nothing, then a note: the model may go on by itself, the gate may not."""
    import mido

    piece = tmp_path / "late.mid"
    track = mido.MidiTrack(
        [
            mido.Message("note_on", note=60, velocity=100, time=4 * 960),  # 960 ticks a second
            mido.Message("note_off", note=60, time=960),
            mido.Message("note_on", note=10, velocity=0, time=3 * 960),
        ]
    )
    mido.MidiFile(type=0, ticks_per_beat=480, tracks=[track]).save(piece)
    report, audio = play_file(home, piece, 8.0, styles=[STYLE], parameters={"midi_gate": True})
    assert (report["status"], report["underruns"]) == ("ready", 0), report
    begin = report["latency"] + 4 * 48000
    assert not audio[: begin - 1].any()
    assert np.abs(audio[begin : begin + 48000]).max() > 0.01
    assert np.abs(audio[begin + 3 * 48000 :]).max() < 1e-4, "the codec's tail has an end"
