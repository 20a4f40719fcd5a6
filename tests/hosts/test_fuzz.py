# SPDX-License-Identifier: GPL-3.0-or-later
"""Random parameters, states, blocks, rates and notes while it plays: no crash, nothing unplayable.

The same steps each time: a seed that fails is found again by its number.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "programs" / "fuzz.py"
STEPS = 150


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_it_plays_on(live_home: Sandbox, seed: int) -> None:
    plugin = live_home.home / ".vst3" / "Bandmate.vst3"
    report = live_home.python(PROGRAM, plugin, str(seed), str(STEPS))
    assert report["heard"] > STEPS / 10, report
    assert 0.0 < report["loudest"] <= 1.0, report
