# SPDX-License-Identifier: GPL-3.0-or-later
"""Styles and continuations from sound, takes and cancelling, through a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.clicks import sharp_clicks
from support.official import TINY, write_tiny_bundle
from support.sandbox import Sandbox
from support.server import running_server
from support.waiting import wait_for
from support.wire_plugin import WirePlugin, note_off, note_on, parameter

from bandmate import _protocol as wire
from bandmate.link import messages as m
from bandmate.link.client import RefusedError
from bandmate.session.events import EventKind
from bandmate.session.midi import read_midi

RATE = 48000
F = 1920


@pytest.fixture(scope="module")
def place() -> Iterator[Sandbox]:
    """A running server that knows the small models."""
    sandbox = Sandbox()
    models = sandbox.root / "models"
    models.mkdir()
    write_tiny_bundle(models, weights=True)
    sandbox.variables["BANDMATE_MODELS"] = str(models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANDMATE_MODELS", str(models))
        with running_server(sandbox):
            yield sandbox
    sandbox.close()


def started(place: Sandbox, model: str) -> WirePlugin:
    plugin = WirePlugin(place.runtime, model)
    plugin.open()
    plugin.set_prompts(1, *([] if model == TINY else ["warm piano"]))  # no text encoder in it
    plugin.begin_epoch(3)
    return plugin


def refusal(plugin: WirePlugin, body: m.RequestBody) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        plugin.client.request(body, 60)
    assert "\n" not in str(refused.value)
    return refused.value


def ask(plugin: WirePlugin, *bodies: m.RequestBody) -> list[m.ReplyBody]:
    """The answers, in order; the plugin goes on beating while it waits."""
    numbers = [plugin.client.send(body) for body in bodies]
    replies: dict[int, m.ReplyBody] = {}

    def answered() -> bool:
        plugin.segment.plugin_beat()
        if (reply := plugin.client.receive(0.1)) is not None:
            replies[reply.re] = reply.body
        return len(replies) == len(numbers)

    wait_for(answered, "the answers", 120)
    return [replies[number] for number in numbers]


def music(seconds: float, pitch: float = 220.0) -> np.ndarray:
    """Struck sines [samples, 2]."""
    time = np.arange(int(seconds * RATE)) / RATE
    mono = 0.4 * np.sin(2 * np.pi * pitch * time) * np.exp(-3.0 * (time % 0.5))
    return np.repeat(mono[:, None], 2, axis=1).astype(np.float32)


def play_into(plugin: WirePlugin, sound: np.ndarray) -> None:
    """Plays while this comes in through the side chain."""
    first = plugin.position // F
    for k, frame in enumerate(np.split(sound[: len(sound) // F * F], len(sound) // F), first):
        assert plugin.segment.write_input_frame(plugin.epoch, k, np.ascontiguousarray(frame))
        plugin.publish((k + 1) * F)
        plugin.wait_frame(k)


def style_now(plugin: WirePlugin, slot: int, sound: str, revision: int) -> m.SetPromptsReply:
    prompts = (m.Prompt(0, "warm piano"), m.Prompt(slot, "", sound))
    return plugin.client.request(m.SetPrompts(plugin.session, revision, prompts), 60)


def test_the_side_chain_becomes_a_style_that_a_project_keeps(place, tmp_path):
    with started(place, "pico") as plugin:
        early = refusal(plugin, m.StyleSound(plugin.session, 1, "", 2.0))
        assert early.code == "io"
        assert "side chain" in str(early)
        sound = music(3.0)
        play_into(plugin, sound)
        too_much = refusal(plugin, m.StyleSound(plugin.session, 1, "", 9.0))
        assert "Only 3.0 s" in str(too_much)
        captured = plugin.client.request(m.StyleSound(plugin.session, 1, "", 2.0), 60)
        assert captured.slot == 1
        # The same sound from a file is the same style.
        soundfile.write(tmp_path / "clip.wav", sound[-2 * RATE :], RATE, "FLOAT")
        path = str(tmp_path / "clip.wav")
        assert plugin.client.request(m.StyleSound(plugin.session, 1, path, 10.0), 60) == captured
        style_now(plugin, 1, captured.sound, 2)
        plugin.begin_epoch(3, parameter(0, wire.ParameterId.STYLE_WEIGHT_0, 0.0), note_on(0, 60))
        plugin.push(parameter(0, wire.ParameterId.STYLE_WEIGHT_1, 1.0))
        heard = plugin.play(12)
    with started(place, "pico") as plugin:  # a project that is opened again
        style_now(plugin, 1, captured.sound, 2)
        plugin.begin_epoch(3, parameter(0, wire.ParameterId.STYLE_WEIGHT_0, 0.0), note_on(0, 60))
        plugin.push(parameter(0, wire.ParameterId.STYLE_WEIGHT_1, 1.0))
        assert np.array_equal(plugin.play(12), heard)


def test_a_style_of_another_model_is_named_and_its_slot_stays_with_its_text(place):
    with started(place, "pico") as plugin:
        style_now(plugin, 1, "other:1.0:AAAAAA==", 2)
        wait_for(lambda: not plugin.client.receive(0.05) and plugin.client.pushes, "a word")
        assert "style slot 2" in plugin.client.pushes[-1].note
        plugin.play(3)


@pytest.mark.parametrize("content", [None, b"", b"RIFF....WAVE", b"\0" * 5000])
def test_a_bad_sound_file_gives_a_clear_line_and_nothing_stops(place, tmp_path, content):
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    with started(place, "pico") as plugin:
        for body in (
            m.StyleSound(plugin.session, 0, str(path), 5.0),
            m.ContinueFrom(plugin.session, str(path), 5.0, ""),
        ):
            error = refusal(plugin, body)
            assert error.code == "io"
            assert "bad.wav" in str(error)
        plugin.play(3)


def test_a_stream_goes_on_from_its_side_chain_and_from_the_bank_of_that(place, tmp_path):
    bank = tmp_path / "new" / "bank.safetensors"
    with started(place, TINY) as plugin:
        play_into(plugin, music(2.4))
        begin = [parameter(0, wire.ParameterId.TEMPERATURE, 1.0)]
        plugin.begin_epoch(3, *begin)
        fresh = plugin.play(6)
        replies = ask(plugin, m.ContinueFrom(plugin.session, "", 2.4, str(bank)))
        assert replies == [m.ContinueFromReply(plugin.session)]
        told = [push for push in plugin.client.pushes if isinstance(push, m.Progress)]
        assert all(push.task == "continue_from" for push in told)
        assert [push.share for push in told] == sorted(push.share for push in told)
        plugin.begin_epoch(3, *begin)
        continued = plugin.play(6)
        assert not np.array_equal(continued, fresh)
    with started(place, TINY) as plugin:
        plugin.client.request(m.BankLoad(plugin.session, str(bank)), 60)
        plugin.begin_epoch(3, *begin)
        assert np.array_equal(plugin.play(6), continued)


def test_what_is_cancelled_changes_nothing_and_the_music_goes_on(place, tmp_path):
    soundfile.write(tmp_path / "long.wav", music(28.0), RATE)
    bank = tmp_path / "bank.safetensors"
    with started(place, TINY) as plugin:
        wanted = m.ContinueFrom(plugin.session, str(tmp_path / "long.wav"), 28.0, str(bank))
        first, busy, cancel = ask(plugin, wanted, wanted, m.Cancel(plugin.session))
        assert first.code == "cancelled"
        assert busy.code == "bad_message"
        assert cancel == m.CancelReply(plugin.session)
        assert not bank.exists()
        plugin.play(3)


def test_a_take_is_what_was_heard_and_played(place, tmp_path: Path):
    path = tmp_path / "take.wav"
    with started(place, "testtone") as plugin:
        assert "Nothing has been played" in str(
            refusal(plugin, m.TakeSave(plugin.session, str(path), 600.0))
        )
        events = [note_on(5000), note_off(20000), note_on(40001, 72), note_off(60000, 72)]
        heard = plugin.play(40, events)
        reply = plugin.client.request(m.TakeSave(plugin.session, str(path), 600.0), 60)
        assert reply.seconds == pytest.approx(40 * F / RATE)
        taken, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == RATE
        assert np.abs(taken - heard).max() < 1e-6  # 24 bits
        clip = read_midi(tmp_path / "take.mid", RATE)
        struck = [e.time for e in clip.events if e.kind is EventKind.NOTE_ON]
        assert struck == sharp_clicks(taken[:, 0]) == [5000, 40001]
        assert {e.value for e in clip.events if e.kind is EventKind.NOTE_ON} == {100}
        error = refusal(plugin, m.TakeSave(plugin.session, "/nowhere/take.wav", 600.0))
        assert "/nowhere/take.wav" in str(error)
        assert refusal(plugin, m.TakeSave(plugin.session, "/x.txt", 1.0)).code == "bad_field"
    kept = place.config / "takes"
    wait_for(lambda: not list(kept.rglob("*.flac")), "the take's files to go")
