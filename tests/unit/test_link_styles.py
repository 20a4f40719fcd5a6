# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model through the real server: prompts come into force, frames equal a render's."""

from __future__ import annotations

import mido
import numpy as np
import pytest
import soundfile
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_off, note_on, parameter

from bandmate import _protocol as wire
from bandmate.link import messages

FRAMES = 14
SEED = 4


@pytest.fixture
def server(sandbox: Sandbox):
    with running_server(sandbox) as process:
        yield process


def test_live_equals_render(server, sandbox, tmp_path):
    ticks = 24000  # at 120 bpm a tick is a sample
    file, track = mido.MidiFile(ticks_per_beat=ticks), mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("note_on", note=60, velocity=100, time=2500))
    track.append(mido.Message("note_off", note=60, time=9000))
    file.save(tmp_path / "in.mid")
    done = sandbox.bandmate(
        "render", tmp_path / "in.mid", tmp_path / "out.wav", "--model", "pico", "--tail", "0.2",
        "--style", "warm piano:0.8", "--style", "strings:0.3", "--seed", str(SEED), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rendered, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert np.abs(rendered).max() > 1e-3

    with WirePlugin(sandbox.runtime, "pico") as plugin:
        plugin.open()
        plugin.set_prompts(1, "warm piano", "strings")
        weights = (wire.ParameterId.STYLE_WEIGHT_0, 0.8), (wire.ParameterId.STYLE_WEIGHT_1, 0.3)
        defaults = plugin.bundle.defaults
        plugin.begin_epoch(
            SEED,
            *(parameter(0, which, value) for which, value in weights),
            parameter(0, wire.ParameterId.TEMPERATURE, defaults.temperature),
            parameter(0, wire.ParameterId.TOP_K, defaults.top_k),
        )
        live = plugin.play(FRAMES, [note_on(2500, 60), note_off(11500, 60)], 700)
    delay = plugin.spec.delay_samples
    compared = min(len(rendered), len(live) - delay)
    assert compared > 8 * plugin.spec.frame_samples
    np.testing.assert_array_equal(live[delay : delay + compared], rendered[:compared])


def test_no_frames_before_the_prompts_are_in_force(server, sandbox):
    with WirePlugin(sandbox.runtime, "pico") as plugin:
        plugin.open()
        assert plugin.segment.server_state == wire.ServerState.LOADING
        plugin.begin_epoch()
        plugin.publish(3 * plugin.spec.frame_samples)
        plugin.client.request(messages.Ping())
        assert plugin.segment.server_frames == 0
        plugin.set_prompts(5, "bells")
        assert plugin.segment.server_state == wire.ServerState.READY
        plugin.wait_frame(2)


def test_an_older_revision_changes_nothing(server, sandbox):
    with WirePlugin(sandbox.runtime, "pico") as plugin:
        plugin.open()
        plugin.set_prompts(7, "bells")
        assert plugin.set_prompts(3, "drums").revision == 3  # acknowledged all the same
        (status,) = plugin.client.status()
        assert status.revision == 7


def test_prompts_may_be_empty_long_and_of_any_script(server, sandbox):
    with WirePlugin(sandbox.runtime, "pico") as plugin:
        plugin.open()
        longest = "ж" * (wire.PROMPT_BYTES_MAXIMUM // 2)
        for revision, texts in enumerate(([], [""], ["  "], [longest, "钢琴", "🎹", "a\n\tb"]), 1):
            assert plugin.set_prompts(revision, *texts).revision == revision
        plugin.begin_epoch()
        plugin.publish(plugin.spec.frame_samples)
        assert np.isfinite(plugin.wait_frame(0)).all()


def test_a_prompt_does_not_stop_the_frames(server, sandbox):
    """Many prompts at once: frames go on, every request is answered."""
    with WirePlugin(sandbox.runtime, "pico") as plugin:
        plugin.open()
        plugin.set_prompts(1, "piano")
        plugin.begin_epoch()
        numbers = [
            plugin.client.send(
                messages.SetPrompts(plugin.session, 2 + n, (messages.Prompt(0, f"prompt {n}"),))
            )
            for n in range(20)
        ]
        plugin.publish(2 * plugin.spec.frame_samples)
        plugin.wait_frame(1)
        answered: set[int] = set()

        def all_answered() -> bool:
            reply = plugin.client.receive(0.05)
            if reply is not None:
                answered.add(reply.re)
            return answered >= set(numbers)

        wait_for(all_answered, "the answers")
        (status,) = plugin.client.status()
        assert status.revision == 21
