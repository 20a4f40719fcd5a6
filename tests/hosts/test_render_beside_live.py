# SPDX-License-Identifier: GPL-3.0-or-later
"""A track is rendered offline by a host while another plays live on the same server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from support.file_player import play_file
from support.paths import MUSIC
from support.sandbox import Sandbox
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_on

from bandmate import _protocol as wire

SECONDS = 3.0
FRAMES = 10


@pytest.fixture
def home() -> Iterator[Sandbox]:
    place = Sandbox(BANDMATE_MODEL="pico")
    place.install_plugin()
    place.start_server()
    yield place
    place.close()


def test_neither_starves_the_other(home: Sandbox) -> None:
    report: dict[str, object] = {}

    def render() -> None:
        report.update(play_file(home, MUSIC / "heldout_mono.mid", SECONDS)[0])

    with WirePlugin(home.runtime, "pico") as live:
        live.open()
        live.set_prompts(1, "piano")

        def line() -> np.ndarray:
            live.begin_epoch(3)
            return live.play(FRAMES, [note_on(7, 60)], 700)

        def renders() -> bool:
            live.segment.plugin_beat()
            return any(s.frames and s.session != live.session for s in live.client.status())

        alone = line()
        thread = threading.Thread(target=render)
        thread.start()
        wait_for(renders, "the render's first frame", 120)
        rounds = 0
        while thread.is_alive():
            np.testing.assert_array_equal(line(), alone)
            rounds += 1
        thread.join()
        assert rounds, "the render was over before the live track had played"
        assert not [flags for flags in live.flags.values() if flags & wire.FRAME_GAP]
    assert (report["status"], report["underruns"]) == ("ready", 0), report
