# SPDX-License-Identifier: GPL-3.0-or-later
"""Live playing, where nothing waits: latency, underruns, a server that dies, no server at all."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import pytest
from support import live_host
from support.clicks import sharp_clicks
from support.live_host import LiveHost
from support.sandbox import Sandbox
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not live_host.is_installed(), reason="JACK's server and jalv are not installed"
)

RECOVERY_SECONDS = 60  # on a busy machine; on an idle one it takes two
FIRST_SOUND_SECONDS = 60  # a cold start loads Python and the model


@pytest.fixture
def live(live_home: Sandbox) -> Iterator[LiveHost]:
    with LiveHost(live_home) as host:
        yield host


def strike_until_heard(host: LiveHost, limit: float) -> int:
    """Strikes a note again and again; the sample of the first one that sounds."""
    give_up = host.now + round(limit * host.rate)
    while host.now < give_up:
        at = host.now + host.rate // 10
        host.strike(at, host.rate // 20)
        heard = sharp_clicks(host.heard(at, at + host.latency + host.rate // 5))
        if heard:
            return at
    pytest.fail(f"nothing was heard for {limit} s:\n{host.log()[-2000:]}")


def check_notes_are_on_time(host: LiveHost) -> None:
    """Notes until five have been heard, each exactly as late as reported.

    On a busy machine a frame may miss its time, and a note its sound; none may sound elsewhere.
    """
    on_time: list[int] = []
    for _ in range(30):
        begin = host.now + host.rate // 10
        sent = [begin + 1000 + 4801 * i for i in range(3)]
        for at in sent:
            host.strike(at, 3000)
        end = sent[-1] + host.latency + 4800
        heard = [begin + at for at in sharp_clicks(host.heard(begin, end))]
        expected = [at + host.latency for at in sent]
        assert set(heard) <= set(expected), (heard, expected)
        on_time += heard
        if len(on_time) >= 5:
            return
    pytest.fail(f"only {len(on_time)} of 90 notes were heard")


def test_notes_are_heard_after_the_reported_latency(live: LiveHost) -> None:
    strike_until_heard(live, FIRST_SOUND_SECONDS)
    check_notes_are_on_time(live)


def test_an_underrun_moves_nothing(live: LiveHost, live_home: Sandbox) -> None:
    """The server is held up for less than a second: a gap, then every note in its own place."""
    strike_until_heard(live, FIRST_SOUND_SECONDS)
    server = live_home.server()
    assert server is not None
    live.strike(live.now + 2400, live.rate * 20, pitch=60)  # held over all that follows
    live.heard(live.now, live.now + live.latency + live.rate // 2)
    before = live.now
    server.send_signal(signal.SIGSTOP)
    try:
        live.wait_until(before + live.latency + live.rate * 4 // 10)
    finally:
        server.send_signal(signal.SIGCONT)
    gap = live.heard(before, live.now)
    assert quiet_for(gap) > live.rate // 20, "the underrun made no gap: it was none"
    wait_for_sound(live, RECOVERY_SECONDS)
    assert live_home.server() == server, "a short hold-up must not cost the server"
    check_notes_are_on_time(live)


def test_a_killed_server_comes_back_by_itself(live: LiveHost, live_home: Sandbox) -> None:
    strike_until_heard(live, FIRST_SOUND_SECONDS)
    live.strike(live.now + 2400, live.rate * 30, pitch=60)  # held through it all
    live.heard(live.now, live.now + live.latency + live.rate)
    dead = live_home.kill_server()
    killed_at = live.now
    live.wait_until(killed_at + live.latency)
    wait_for(lambda: quiet_for(live.heard(killed_at, live.now)) > 2000, "silence after the kill")
    # The held note sounds again without having been struck again.
    begin = live.now
    wait_for_sound(live, RECOVERY_SECONDS - (begin - killed_at) / live.rate)
    assert np.isfinite(live.heard(killed_at, live.now)).all()
    server = live_home.server()
    assert server is not None
    assert server.pid != dead
    check_notes_are_on_time(live)


def test_a_killed_server_ten_times(live: LiveHost, live_home: Sandbox) -> None:
    """What a crash leaves behind must not pile up or stop the next start."""
    for _ in range(10):
        strike_until_heard(live, FIRST_SOUND_SECONDS)
        live_home.kill_server()
    strike_until_heard(live, FIRST_SOUND_SECONDS)
    check_notes_are_on_time(live)
    left = [file.name for file in live_home.runtime.glob("segment-*")]
    assert len(left) <= 1, left


def test_without_a_server_it_is_silent_until_one_comes() -> None:
    place = Sandbox(BANDMATE_MODEL="testtone", BANDMATE_SERVER_COMMAND="/bin/false")
    try:
        place.install_plugin()
        with LiveHost(place) as host:
            for i in range(6):
                host.strike(host.now + 4800 + 24000 * i, 4800)
            assert not host.heard(0, host.now + 4 * host.rate).any()
            server = place.start_server()
            strike_until_heard(host, FIRST_SOUND_SECONDS)
            assert place.server().pid == server.pid
            check_notes_are_on_time(host)
    finally:
        place.close()


def quiet_for(audio: np.ndarray) -> int:
    """The longest run of zeros."""
    sounding = np.flatnonzero(np.concatenate(([1], audio != 0, [1])))
    return int(np.diff(sounding).max()) - 1


def wait_for_sound(host: LiveHost, limit: float) -> None:
    """Returns when a tenth of a second has sounded without a gap; fails after `limit` seconds."""
    begin = host.now
    window = host.rate // 10
    while host.now < begin + limit * host.rate:
        audio = host.heard(host.now, host.now + window)
        if quiet_for(audio) < 10:
            return
    pytest.fail(f"no sound within {limit:.1f} s")
