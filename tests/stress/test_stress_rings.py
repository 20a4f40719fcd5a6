# SPDX-License-Identifier: GPL-3.0-or-later
"""Events and audio through all three rings between two processes, in both roles.

The usual form takes seconds. The long form, 10^7 events and an hour of audio each way:

    BANDMATE_STRESS=long python -m pytest tests/stress
"""

import os
import subprocess

import pytest
from stress.peer import Frames, Peer, events_of

from bandmate import _protocol as wire

FRAMES_PER_SECOND = 25
LONG = (10_000_000, FRAMES_PER_SECOND * 3600)
SHORT = (1_000_000, FRAMES_PER_SECOND * 120)
EVENTS, FRAMES = LONG if os.environ.get("BANDMATE_STRESS") == "long" else SHORT


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("python_role", ["server", "plugin"])
def test_no_item_is_lost_torn_or_reordered(python_role, stress_peer, tmp_path):
    path = tmp_path / "segment"
    cpp_role = "plugin" if python_role == "server" else "server"
    with wire.Segment.create(path, 48000, 2, 1920) as segment:
        command = [stress_peer, cpp_role, path, str(EVENTS), str(FRAMES)]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            peer = Peer(segment, EVENTS, FRAMES)
            peer.run(python_role, other.poll)
            output, errors = other.communicate(timeout=180)
        finally:
            other.kill()
            other.wait()
        assert other.returncode == 0, errors
        assert output.strip() == peer.progress
        assert peer.progress == f"{EVENTS} events, {FRAMES} frames written, {FRAMES} taken"
        assert not segment.is_broken
        if python_role == "server":
            assert segment.waiting_events == segment.refused_events == 0


def test_the_test_sees_a_damaged_frame(stress_peer, tmp_path):
    """The other side must notice one wrong sample, or the test above proves nothing."""
    path = tmp_path / "segment"
    with wire.Segment.create(path, 48000, 2, 1920) as segment:
        frame = Frames(1920, 2)(0)
        frame[1919, 1] += 2.0**-24
        assert segment.write_input_frame(1, 0, frame)
        command = [stress_peer, "server", path, "0", "1"]
        other = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert other.returncode == 1
    assert "frame 0 is wrong" in other.stderr


def test_the_test_sees_a_lost_event(stress_peer, tmp_path):
    path = tmp_path / "segment"
    with wire.Segment.create(path, 48000, 2, 1920) as segment:
        events = events_of(0, 10)
        assert segment.push_events(events[events["time"] != 5]) == 9
        segment.publish(1, 10)
        command = [stress_peer, "server", path, "10", "0"]
        other = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert other.returncode == 1
    assert "event 5 is wrong" in other.stderr
