# SPDX-License-Identifier: GPL-3.0-or-later
"""A real DAW, which compensates latency: a note at time t is heard at t, exported and recorded.

Ardour switches the plugin to offline rendering between two blocks, without preparing it again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import ardour
from support.ardour_midi import put_notes
from support.clicks import clicks
from support.plugin_ids import LV2_URI, VST3_CLASS_ID
from support.sandbox import Sandbox

pytestmark = pytest.mark.skipif(not ardour.is_installed(), reason="Ardour 7 is not installed")

NOTES = [(1.0, 0.4, 69, 100), (2.0, 0.4, 72, 100), (2.75, 0.4, 76, 100)]
SECONDS = 4.0


@pytest.fixture
def vst3_session(live_home: Sandbox, request: pytest.FixtureRequest) -> ardour.Session:
    rate, block = getattr(request, "param", (48000, 512))
    plugin = live_home.home / ".vst3" / "Bandmate.vst3"
    scanned = ardour.scan(live_home, plugin)
    assert scanned.returncode == 0, scanned.stdout + scanned.stderr
    assert live_home.server() is None, "scanning a plugin must not start a server"
    return ardour.Session(live_home, VST3_CLASS_ID, rate, block)


def check_on_time(audio: np.ndarray, begin: int, rate: int, live: bool = False) -> None:
    """Each note starts where it was written. Live, a busy machine may miss one, but move none."""
    heard = [begin + at for at in clicks(audio[:, 0])]
    expected = [round(start * rate) for start, *_ in NOTES]
    tolerance = 0 if rate == 48000 else 1
    assert heard, "nothing was heard"
    for at in heard:
        assert min(abs(at - wanted) for wanted in expected) <= tolerance, (heard, expected)
    assert live or len(heard) == len(expected), (heard, expected)


@pytest.mark.parametrize("vst3_session", [(48000, 512), (48000, 1024), (96000, 256)], indirect=True)
def test_vst3_lands_on_the_grid(vst3_session: ardour.Session) -> None:
    assert vst3_session.latency > 0
    put_notes(vst3_session.file, NOTES, SECONDS)
    check_on_time(vst3_session.repeated_export(), 0, vst3_session.rate)
    # The server has started meanwhile; a recording is live, nothing waits for it.
    take = vst3_session.record(SECONDS, warm_up=3.0)
    check_on_time(take.audio, take.position, vst3_session.rate, live=True)


def test_lv2_lands_on_the_grid(live_home: Sandbox, lv2: Path) -> None:
    session = ardour.Session(live_home, LV2_URI, 48000, 256)
    put_notes(session.file, NOTES, SECONDS)
    check_on_time(session.export(), 0, 48000)
    take = session.record(SECONDS, warm_up=3.0)
    check_on_time(take.audio, take.position, 48000, live=True)


def test_volume_automation_is_followed(vst3_session: ardour.Session) -> None:
    put_notes(vst3_session.file, [(0.5, 3.4, 69, 100)], SECONDS)
    vst3_session.automate(Volume=[(0, 0.8), (2, 0.8), (2.05, 0.5), (4, 0.5)])
    audio = vst3_session.export()[:, 0]
    loud, soft = np.abs(audio[60000:90000]).max(), np.abs(audio[110000:170000]).max()
    assert 0 < soft < 0.6 * loud
