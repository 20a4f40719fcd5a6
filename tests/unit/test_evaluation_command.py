# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate eval`, run as users run it."""

from __future__ import annotations

import json

import pytest
from support.midi_files import head
from support.sandbox import Sandbox

from bandmate.evaluation import music
from bandmate.report import transcription

try:
    transcription.check()
    JUDGE = True
except transcription.TranscriberMissingError:
    JUDGE = False


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_quick_run_grades_every_part_and_draws_the_report(sandbox: Sandbox, tmp_path) -> None:
    folder = tmp_path / "report"
    options = ("--quick", "--json", "--model", "pico", "--report", folder)
    done = sandbox.bandmate("eval", *options, timeout=1500)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    parts = {"stream", "latency"}
    parts |= {"notes"} if JUDGE else set()
    has_source = "source" not in result["missing"]  # by what the command itself found
    parts |= {"style", "codec"} if has_source else set()
    assert parts == parts & result.keys(), result["missing"]
    assert {row["part"] for row in result["verdicts"]} == parts
    report = (folder / "report.md").read_text(encoding="utf-8")
    for part in parts:
        assert f"## {part.capitalize()}" in report
    for picture in (
        line.split("](")[1].rstrip(")") for line in report.splitlines() if "![" in line
    ):
        assert (folder / picture).stat().st_size > 5_000
    assert result["stream"]["seconds"] == pytest.approx(60.0)
    if JUDGE and has_source:
        stages = result["notes"]["pieces"]["piano_mono"]["stages"]
        assert stages["source"]["onset_f1"] > 0.9
        assert stages["features"]["share"] > 0.85
        assert stages["model"]["share"] > 0.3
    if has_source:
        far = result["codec"]["mean"]
        assert far["codec"]["log_stft_db"] < far["shuffled"]["log_stft_db"] - 1


@pytest.mark.skipif(not JUDGE, reason="the transcriber is not installed")
@pytest.mark.timeout(900)
def test_pieces_of_ones_own_are_graded(sandbox: Sandbox, tmp_path) -> None:
    piece = tmp_path / "short.mid"
    head(music.piece("piano_mono"), piece, 3.0)
    options = ("--model", "testtone", "--seeds", "4,5", "--keep", tmp_path, "--json")
    done = sandbox.bandmate("eval", piece, *options, timeout=800)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["pieces"]["short"]
    assert [seed["seed"] for seed in row["seeds"]] == [4, 5]
    assert 0 <= row["onset_f1"] <= 1
    names = {f"short_{seed}.wav" for seed in (4, 5)}
    assert {path.name for path in tmp_path.glob("*.wav")} == names


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--only", "notes,taste"], "taste"),
        (["--seeds", "1,x"], "1,x"),
        (["--style", "piano"], "PIECES"),
        ([str(music.piece("piano_mono")), "--quick"], "PIECES"),
    ],
)
def test_wrong_usage_is_said(sandbox: Sandbox, arguments: list[str], word: str) -> None:
    done = sandbox.bandmate("eval", *arguments)
    assert done.returncode == 2
    assert word in done.stderr


def test_a_model_that_is_not_there_is_one_line(sandbox: Sandbox) -> None:
    done = sandbox.bandmate("eval", "--only", "latency", "--model", "nowhere", "--json")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
