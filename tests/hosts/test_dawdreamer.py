# SPDX-License-Identifier: GPL-3.0-or-later
"""A second host, another view: VST3 and LV2, a playing transport, automation by arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.clicks import clicks
from support.plugin_ids import LV2_URI
from support.sandbox import Sandbox

PROGRAM = Path(__file__).parent / "programs" / "dawdreamer_notes.py"
STATE_PROGRAM = PROGRAM.with_name("dawdreamer_state.py")
pytest.importorskip("dawdreamer")


def run(
    place: Sandbox, plugin: str, rate: int, block: int, *options: str
) -> tuple[dict, np.ndarray]:
    target = place.root / "audio.npy"
    # Twice: the first run starts the server, which measures the model and so settles its latency.
    place.python(PROGRAM, plugin, str(rate), str(block), target, *options)
    report = place.python(PROGRAM, plugin, str(rate), str(block), target, *options)
    return report, np.load(target)


@pytest.mark.parametrize(
    ("rate", "block"), [(48000, 128), (48000, 512), (44100, 256), (96000, 2048)]
)
@pytest.mark.parametrize("form", ["vst3", "lv2"])
def test_notes_come_out_at_their_sample_plus_latency(
    live_home: Sandbox, form: str, rate: int, block: int
) -> None:
    plugin = LV2_URI if form == "lv2" else str(live_home.home / ".vst3" / "Bandmate.vst3")
    report, audio = run(live_home, plugin, rate, block)
    heard = clicks(audio[0])
    expected = [at + report["latency"] for at in report["notes"]]
    assert len(heard) == len(expected), (heard, expected)
    assert np.abs(np.subtract(heard, expected)).max() <= (0 if rate == 48000 else 1)


def test_volume_follows_an_array(live_home: Sandbox) -> None:
    plugin = str(live_home.home / ".vst3" / "Bandmate.vst3")
    report, audio = run(live_home, plugin, 48000, 128, "--fade")
    level = np.abs(audio[0])
    first, last = report["notes"][0] + report["latency"], report["notes"][-1] + report["latency"]
    assert level[first + 2000 : first + 4000].max() > 4 * level[last + 2000 : last + 4000].max() > 0


@pytest.mark.parametrize(("rate", "block"), [(48000, 512), (44100, 2048)])
def test_parameters_state_and_ten_minutes(live_home: Sandbox, rate: int, block: int) -> None:
    plugin = str(live_home.home / ".vst3" / "Bandmate.vst3")
    seconds = 600  # long enough for any drift to show: each note's own sample, to the end
    report = live_home.python(
        STATE_PROGRAM, plugin, str(rate), str(block), str(seconds), live_home.root
    )
    before, moved, loaded = report["before"], report["moved"], report["loaded"]
    assert sum(moved[name] != before[name] for name in before) > 15
    assert loaded == moved
    audio = np.load(live_home.root / "audio.npy")
    np.testing.assert_array_equal(audio[0], audio[1])
    expected = [at + report["latency"] for at in report["notes"]]
    heard = clicks(audio[0])
    assert len(heard) == len(expected) > 190
    assert np.abs(np.subtract(heard, expected)).max() <= (0 if rate == 48000 else 1)
