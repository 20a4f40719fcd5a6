# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes are graded as they are heard, on sounds whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.midi_files import head
from support.sandbox import Sandbox
from support.tones import RATE, tones

from bandmate.evaluation import music, notes, verdicts, yardstick
from bandmate.evaluation.player import Player
from bandmate.report import transcription

try:
    transcription.check()
    CANNOT = ""
except transcription.TranscriberMissingError as error:
    CANNOT = str(error)
judged = pytest.mark.skipif(bool(CANNOT), reason=CANNOT)


@pytest.fixture(scope="module")
def line() -> np.ndarray:
    return tones(music.notes("guitar_mono"), 24.0)


def f1(wav: Path, audio: np.ndarray) -> float:
    soundfile.write(wav, audio, RATE, subtype="FLOAT")
    return transcription.score_notes(music.piece("guitar_mono"), wav).f1


@judged
@pytest.mark.timeout(900)
def test_the_right_notes_score_and_late_or_wrong_ones_do_not(line: np.ndarray, tmp_path) -> None:
    wav = tmp_path / "line.wav"
    assert f1(wav, line) > 0.85
    assert f1(wav, np.roll(line, RATE // 10, axis=0)) < 0.3
    assert f1(wav, tones(music.notes("mallets_mono"), 24.0)) < 0.3
    assert f1(wav, np.zeros_like(line)) == 0.0


def test_kinds_are_the_means_of_their_pieces() -> None:
    def row(kind: str, share: float | None) -> dict:
        return {"kind": kind, "stages": {"model": {"share": share}}}

    found = notes.by_kind({"a": row("mono", 0.5), "b": row("mono", 1.0), "c": row("chords", None)})
    assert found == {"mono": {"model": 0.75}}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["testtone", "pico"])
def test_a_player_plays_what_render_writes(sandbox: Sandbox, tmp_path, model: str) -> None:
    """The whole system is graded, not a short cut; and company changes nothing."""
    midi, wav = tmp_path / "short.mid", tmp_path / "short.wav"
    head(music.piece("piano_mono"), midi, 1.5)
    style = [] if model == "testtone" else ["--style", "grand piano"]
    done = sandbox.bandmate("render", midi, wav, "--model", model, "--seed", "2", *style)
    assert done.returncode == 0, done.stderr
    with Player(model) as player:
        sounds = player.render(midi, "grand piano", [1, 2])
    written, _ = soundfile.read(wav, dtype="float32")
    np.testing.assert_array_equal(sounds[1], written)
    if model == "pico":
        assert np.abs(sounds[0] - sounds[1]).max() > 1e-3


def test_verdicts_follow_the_figures() -> None:
    timing = {"rest_dbfs": -80.0, "onset_median_abs_ms": 4.0, "onset_p90_ms": None}
    result = {
        "notes": {
            "kinds": {"mono": {"model": 0.9}, "chords": {"model": 0.7}},
            "timing": {"sparse": {"model": timing}},
        },
        "stream": {"stable": False},
    }
    reached = {row["figure"]: row["reached"] for row in verdicts.of(result)}
    assert reached == {
        "mono, share of the source's F1": True,
        "chords, share of the source's F1": False,
        "sparse, level of rests": True,
        "onset error, median": True,
        "onset error, p90": False,
        "stable": False,
    }


def test_figures_are_json() -> None:
    assert yardstick.as_json({1: (float("nan"), 2.0, {"a": float("inf")})}) == {
        "1": [None, 2.0, {"a": None}]
    }
