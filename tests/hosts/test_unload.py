# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plugin began ends with it: no thread, file or shared memory outlives an instance."""

from __future__ import annotations

from pathlib import Path

from support.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "programs" / "load_and_unload.py"
ROUNDS = 8


def test_nothing_outlives_its_plugin(live_home: Sandbox) -> None:
    plugin = live_home.home / ".vst3" / "Bandmate.vst3"
    rounds = live_home.python(PROGRAM, plugin, str(ROUNDS))
    # The first round may leave what the host and the C library set up once.
    first, last = rounds[0], rounds[-1]
    assert last["playing"] > len(last["threads"]), "a plugin at play has threads of its own"
    assert last["threads"] == first["threads"]
    assert last["files"] == first["files"]
    assert [one["segments"] for one in rounds] == [0] * ROUNDS
