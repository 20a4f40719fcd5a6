# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen or bounced region is the take that was played live, sample by sample."""

from __future__ import annotations

import pytest
from support.paths import built
from support.sandbox import Sandbox

SECONDS = 4.0


@pytest.mark.parametrize("model", ["testtone", "pico"])
def test_a_region_frozen_is_the_region_played_live(model: str) -> None:
    place = Sandbox(BANDMATE_MODEL=model, BANDMATE_LATENCY="400")
    try:
        place.install_plugin()
        done = place.run([built("freeze_host"), str(SECONDS)])
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    finally:
        place.close()
    said = {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}
    assert said["samples"] == said["frozen_samples"] > SECONDS * 48000
    assert said["loudest"] > 0.01, "it must have played"
    assert said["difference_again"] == 0.0, said
    if said["missed"]:
        pytest.skip("this machine was too busy for a live take without a missed frame")
    assert said["difference"] == 0.0, said
