# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped plugin neither allocates, locks nor calls the system in a block, in real hosts.

A preloaded library counts what happens between the marks the plugin sets around its blocks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support import live_host
from support.live_host import LiveHost
from support.paths import built
from support.sandbox import Sandbox
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard is for glibc and Linux")

PROGRAM = Path(__file__).parent / "programs" / "guarded_notes.py"


@pytest.fixture(scope="module")
def guard() -> str:
    return str(built("libbandmate_audio_guard.so"))


def test_the_guard_sees_what_it_must_count(live_home: Sandbox, vst3: Path, guard: str) -> None:
    """In the same process as the plugin: a detector nobody has seen fire proves nothing."""
    counts = live_home.python(PROGRAM, vst3, "--misbehave", env=preloaded(live_home, guard))
    assert counts["allocations"] >= 1
    assert counts["locks"] >= 1
    if counts["watches_system_calls"]:
        assert counts["system_calls"] >= 1


def test_offline_blocks_in_pedalboard(live_home: Sandbox, vst3: Path, guard: str) -> None:
    counts = live_home.python(PROGRAM, vst3, env=preloaded(live_home, guard))
    assert counts["onsets"] == counts["notes"], "it must have played"
    assert counts["blocks"] > 1000
    assert (counts["allocations"], counts["locks"], counts["system_calls"]) == (0, 0, 0), counts


@pytest.mark.skipif(not live_host.is_installed(), reason="JACK's server and jalv are not installed")
def test_live_blocks_in_jalv(live_home: Sandbox, guard: str) -> None:
    """Live, and the server killed in between: underruns and reconnection are blocks too."""
    report = live_home.root / "guard.json"
    with LiveHost(live_home, LD_PRELOAD=guard, BANDMATE_AUDIO_GUARD_REPORT=str(report)) as host:
        host.strike(host.now + 4800, 60 * host.rate, pitch=100)
        wait_for(lambda: host.heard(host.now, host.now + 4800).any(), "the first sound", 60)
        for i in range(50):
            host.strike(host.now + 1000 + 977 * i, 500, 40 + i)
        live_home.kill_server()
        host.wait_until(host.now + 2 * host.rate)
        wait_for(lambda: host.heard(host.now, host.now + 4800).any(), "sound after the kill", 30)
    counts = json.loads(report.read_text())
    assert counts["blocks"] > 300  # the live part lasts two seconds and more
    assert (counts["allocations"], counts["locks"], counts["system_calls"]) == (0, 0, 0), counts


def preloaded(place: Sandbox, guard: str) -> dict[str, str]:
    return {**place.environment, "LD_PRELOAD": guard}
