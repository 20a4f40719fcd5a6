# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model in changing company: who plays never hears of who comes, goes or fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_off, note_on

from bandmate import _protocol as wire
from bandmate.link import messages

FRAMES = 20
PITCHES = (60, 67)


@pytest.fixture
def place(sandbox: Sandbox) -> Iterator[Sandbox]:
    with running_server(sandbox):
        yield sandbox


def started(place: Sandbox, style: str) -> WirePlugin:
    plugin = WirePlugin(place.runtime, "pico")
    plugin.open()
    plugin.set_prompts(1, style)
    return plugin


def line(plugin: WirePlugin, pitch: int) -> np.ndarray:
    """A line on a fresh epoch, frame by frame; every frame must come, in its place."""
    plugin.begin_epoch(pitch)
    length = plugin.spec.frame_samples
    events = [
        event
        for n in range(0, FRAMES, 4)
        for event in (note_on(n * length + 7, pitch + n), note_off((n + 3) * length, pitch + n))
    ]
    sound = plugin.play(FRAMES, events, 700)
    gaps = [index for (_, index), flags in plugin.flags.items() if flags & wire.FRAME_GAP]
    assert not gaps
    return sound


class Company:
    """Others on the same server, while the players play: a thread that goes through its acts."""

    def __init__(self, place: Sandbox) -> None:
        self._place = place
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.rounds = 0
        self.error: BaseException | None = None

    def __enter__(self) -> Company:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._round()
                self.rounds += 1
        except BaseException as error:
            self.error = error

    def _round(self) -> None:
        # One joins, asks for a longwinded style, plays and leaves.
        with started(self._place, f"round {self.rounds} " * 100) as guest:
            guest.begin_epoch()
            guest.play(3, [note_on(9, 50)])
            guest.client.request(messages.Close(guest.session))
        # One goes as a crashed host does: without a word, in the middle of an epoch.
        with started(self._place, "bells") as crashed:
            crashed.begin_epoch()
            crashed.publish(crashed.spec.frame_samples // 2)
        # One spoils what it shares with the server.
        with started(self._place, "strings") as spoilt:
            spoilt.begin_epoch()
            spoilt.segment.publish(spoilt.epoch, 2**62)
            wait_for(lambda: spoilt.client.receive(0.1) or spoilt.client.pushes, "its end")


def test_others_come_go_and_fail_and_nobody_hears_it(place: Sandbox) -> None:
    players = [started(place, "piano") for _ in PITCHES]
    with contextlib.ExitStack() as stack:
        for player in players:
            stack.enter_context(player)
        alone = [line(*pair) for pair in zip(players, PITCHES, strict=True)]
        assert all(np.abs(sound).max() > 1e-3 for sound in alone)
        heard: list[np.ndarray | None] = [None, None]

        def play(number: int) -> None:
            heard[number] = line(players[number], PITCHES[number])

        with Company(place) as company:
            threads = [threading.Thread(target=play, args=(n,)) for n in range(len(players))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert company.rounds, "nobody came or went meanwhile"
    for mine, expected in zip(heard, alone, strict=True):
        assert mine is not None
        np.testing.assert_array_equal(mine, expected)
