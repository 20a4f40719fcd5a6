# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench tracks` in short: it plays what it says. The speed is not judged."""

from __future__ import annotations

import json
from pathlib import Path

from support.paths import PLUGIN_BUILD
from support.sandbox import Sandbox


def test_tracks_on_one_server_and_on_a_server_each(sandbox: Sandbox, tmp_path: Path) -> None:
    picture = tmp_path / "tracks.png"
    done = sandbox.bandmate(
        "bench", "tracks", "--tracks", "1,2", "--seconds", "1", "--model", "testtone",
        "--from", PLUGIN_BUILD, "--picture", picture, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for key in ("tracks", "separate"):
        assert [row["n"] for row in result[key]] == [1, 2]
        for row in result[key]:
            assert 0.0 < row["frame_ms"]["p50"] <= row["frame_ms"]["p99"]
            assert row["underruns"] >= 0
            assert row["problem"] == ""
    # Two servers take about twice the memory, two tracks on one nearly the same.
    one, two = (row["memory_mb"] for row in result["tracks"])
    assert two - one < 25.0
    assert result["separate"][1]["memory_mb"] > 1.5 * one
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_numbers_that_are_none_are_refused(sandbox: Sandbox) -> None:
    for wrong in ("0", "four", "1,,2"):
        done = sandbox.bandmate("bench", "tracks", "--tracks", wrong)
        assert done.returncode == 2
        assert "such as 1,4,8" in done.stderr
