# SPDX-License-Identifier: GPL-3.0-or-later
"""The built plugin on one machine, the server on another, and a network that delays and loses.

The machines are network namespaces; where they are not permitted these tests skip, and
test_remote.py plays over the loopback alone.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from support.played_notes import RATE, NotesHost, Played
from support.remote_plugin import access_key
from support.sandbox import Sandbox
from support.server import running_server
from support.slow_network import STUDIO, SlowNetwork, why_not
from support.waiting import wait_for

from bandmate.link.client import Client
from bandmate.models.registry import find_bundle

REASON = why_not()
pytestmark = [
    pytest.mark.skipif(bool(REASON), reason=REASON or "it can"),
    pytest.mark.long,
    pytest.mark.timeout(600),
]

ADDRESS = f"tcp://{STUDIO}:5733"
BLOCK = 256
LOSS = 0.01
MARGIN_SAFE_MS, FACTOR_SAFE = 10.0, 1.5  # core/latency.hpp
RECOVERY_SECONDS = 5.0
NETWORK_MS_MAXIMUM = 500.0  # link/network_meter.hpp


class Machines:
    """A studio whose server listens, and a laptop that has the plugin alone.

    Attributes:
        network: between the two.
        studio, laptop: their folders.
    """

    def __init__(self, network: SlowNetwork, studio: Sandbox, laptop: Sandbox) -> None:
        self.network, self.studio, self.laptop = network, studio, laptop

    def play(self, seconds: float) -> NotesHost:
        """Begins to play notes on the laptop."""
        return NotesHost(self.laptop, seconds, BLOCK, tuple(self.network.laptop))

    def entry(self) -> dict[str, object]:
        """What the laptop knows of the studio."""
        content = json.loads((self.laptop.config / "remote.json").read_text())
        return content["servers"][ADDRESS]

    def expected_latency(self) -> int:
        """What the plugin has to report when it is prepared now, in samples, in mode safe."""
        entry = self.entry()
        (model,) = [m for m in entry["models"] if m["name"] == "testtone"]
        ms = (FACTOR_SAFE * model["budget_ms"], FACTOR_SAFE * entry["network_ms"], MARGIN_SAFE_MS)
        spec = find_bundle("testtone").frame
        return (
            spec.frame_samples
            + BLOCK
            + spec.delay_samples
            + sum(math.ceil(part * RATE / 1000 - 1e-9) for part in ms)
        )

    def frames(self) -> int:
        """How many frames the studio has made for the laptop."""
        with Client.connect(self.studio.runtime) as client:
            return max((session.frames for session in client.status()), default=0)


@contextmanager
def machines(delay_ms: float) -> Iterator[Machines]:
    studio, laptop = Sandbox(), Sandbox()
    try:
        laptop.variables |= {
            "BANDMATE_MODEL": "testtone",
            "BANDMATE_LATENCY": "safe",
            "BANDMATE_SERVER_COMMAND": "/bin/false",
            "BANDMATE_SERVER_ADDRESS": ADDRESS,
            "BANDMATE_SERVER_KEY": access_key(studio),
        }
        with (
            SlowNetwork(delay_ms, LOSS) as network,
            running_server(studio, "--listen", ADDRESS, prefix=tuple(network.studio)),
        ):
            yield Machines(network, studio, laptop)
    finally:
        studio.close()
        laptop.close()


@pytest.mark.parametrize("delay_ms", [1, 5, 20])
def test_notes_are_in_their_places_and_the_latency_is_right(delay_ms: float) -> None:
    with machines(delay_ms) as both:
        # A note may miss its sound on a busy machine; none may sound elsewhere.
        assert not both.play(13).result().strays  # the first time: it learns the way
        learned = both.entry()["network_ms"]
        assert 2 * delay_ms < learned <= NETWORK_MS_MAXIMUM
        for _ in range(3):  # what else runs on this machine may take a run's frames
            expected = both.expected_latency()
            played = both.play(20).result()
            assert not played.strays
            assert played.latency == expected
            if len(played.heard) > len(played.expected) // 2:
                break
        assert len(played.heard) > len(played.expected) // 2, (played.heard, played.expected)
        # As exact at the end as at the beginning: there is nothing that could drift.
        assert max(played.heard) > 12 * RATE


def test_after_a_cut_it_sounds_again_by_itself() -> None:
    with machines(5) as both:
        both.laptop.variables["BANDMATE_LATENCY"] = "400"
        host = both.play(25)
        try:
            wait_for(lambda: both.frames() > 150, "frames", 120)
            both.network.cut()
            time.sleep(2)
            both.network.mend()
            played = host.result()
        finally:
            if host.is_running:
                host.kill()
        assert not played.strays
        silent = silences(played)
        assert silent, "the cut was not heard"
        # It lasts from the cut's begin, by then in the latency's reserve, to the recovery.
        begin, end = max(silent, key=lambda span: span[1] - span[0])
        assert (end - begin) / RATE < 2 + RECOVERY_SECONDS
        assert [at for at in played.heard if at > end]


def silences(played: Played) -> list[tuple[int, int]]:
    """From a note that is missing to the next that is heard, in samples."""
    spans, begin = [], None
    heard = set(played.heard)
    for at in played.expected:
        if at in heard and begin is not None:
            spans.append((begin, at))
            begin = None
        elif at not in heard and begin is None:
            begin = at
    if begin is not None:
        spans.append((begin, len(played.sound)))
    return spans


def test_a_local_track_does_not_feel_the_network() -> None:
    """One track plays on the studio itself while the laptop's network comes and goes."""
    with machines(20) as both:
        near = Sandbox(
            BANDMATE_MODEL="testtone",
            BANDMATE_LATENCY="400",
            BANDMATE_RUNTIME_DIR=str(both.studio.runtime),
            BANDMATE_CONFIG_DIR=str(both.studio.config),
        )
        try:
            near.install_plugin()
            far, local = both.play(25), NotesHost(near, 18)
            wait_for(lambda: both.frames() > 50 or not local.is_running, "frames", 120)
            for _ in range(4):
                both.network.cut()
                time.sleep(1)
                both.network.mend()
                time.sleep(1)
            played = local.result()
            assert not played.strays
            # Held up by each cut, it would miss half of its notes.
            assert len(played.missing) <= len(played.expected) // 4, played.missing
            assert np.isfinite(played.sound).all()
            assert not far.result().strays
        finally:
            near.close()
