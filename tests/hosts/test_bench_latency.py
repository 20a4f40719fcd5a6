# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench latency` in short: it tells the truth. How quick this machine is, nobody asks."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from support.paths import PLUGIN_BUILD
from support.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark's host is for Linux")


def bench(sandbox: Sandbox, *options: str) -> dict[str, Any]:
    done = sandbox.bandmate(
        "bench", "latency", "--model", "testtone", "--seconds", "6", "--json",
        "--from", PLUGIN_BUILD, *options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["blocks"]
    assert (row["allocations"], row["locks"], row["syscalls"]) == (0, 0, 0)
    assert row["notes"] >= 3
    return row


def test_notes_are_heard_when_the_plugin_says(sandbox: Sandbox) -> None:
    row = bench(sandbox, "--block", "128", "--picture", str(sandbox.root / "latency.png"))
    assert row["block"] == 128
    # A frame, a block, the margin of mode auto, and the test tone's small budget
    assert 46.7 < row["reported_ms"] < 87.0
    delays = np.array(row["delays_ms"])
    assert (delays >= row["reported_ms"] - 0.001).all()
    if row["underruns"] == 0:
        assert row["unheard"] == 0
        np.testing.assert_allclose(delays, row["reported_ms"], atol=0.001)
    assert row["wake_ms"]["p50"] <= row["wake_ms"]["p999"]
    assert 0 < row["machine_us"]["p50"] <= row["machine_us"]["p999"]
    assert (sandbox.root / "latency.png").stat().st_size > 1000


def test_a_latency_in_milliseconds_is_kept(sandbox: Sandbox) -> None:
    row = bench(sandbox, "--block", "512", "--mode", "150")
    assert row["reported_ms"] == 150.0
    assert (np.array(row["delays_ms"]) >= 149.999).all()


def test_what_is_not_built_is_named(sandbox: Sandbox, tmp_path) -> None:
    done = sandbox.bandmate("bench", "latency", "--model", "testtone", "--from", tmp_path)
    assert done.returncode == 1
    assert "bandmate_latency_host" in done.stderr
    assert len(done.stderr.splitlines()) == 1
