# SPDX-License-Identifier: GPL-3.0-or-later
"""Banks, prefill and reset through a real server, with an official model at a reduced size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from support.official import TINY, write_tiny_bundle
from support.sandbox import Sandbox
from support.server import running_server
from support.wire_plugin import WirePlugin, note_on, parameter

from bandmate import _protocol as wire
from bandmate.link import messages as m
from bandmate.link.client import RefusedError

FRAMES = 6


@pytest.fixture
def place(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running server that knows the model."""
    models = sandbox.root / "models"
    models.mkdir()
    write_tiny_bundle(models, weights=True)
    sandbox.variables["BANDMATE_MODELS"] = str(models)
    monkeypatch.setenv("BANDMATE_MODELS", str(models))
    with running_server(sandbox):
        yield sandbox


def ask(plugin: WirePlugin, body: m.RequestBody) -> m.ReplyBody:
    reply = plugin.client.request(body, 120)
    assert reply.session == plugin.session
    return reply


def refusal(plugin: WirePlugin, body: m.RequestBody) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        plugin.client.request(body, 60)
    assert "\n" not in str(refused.value)
    return refused.value


def begin(plugin: WirePlugin, *events: np.ndarray) -> None:
    plugin.begin_epoch(3, parameter(0, wire.ParameterId.TEMPERATURE, 1.0), *events)


def started(place: Sandbox) -> WirePlugin:
    plugin = WirePlugin(place.runtime, TINY)
    plugin.open()
    plugin.set_prompts(1)
    return plugin


def test_an_epoch_goes_on_from_a_bank(place, tmp_path):
    path = str(tmp_path / "bank")
    with started(place) as plugin:
        begin(plugin, note_on(0, 60))
        plugin.play(FRAMES)
        ask(plugin, m.BankSave(plugin.session, path))
        begin(plugin)
        fresh, outs = plugin.play(FRAMES), []
        ask(plugin, m.BankLoad(plugin.session, path))
        for _ in range(2):
            begin(plugin)
            outs.append(plugin.play(FRAMES))
        np.testing.assert_array_equal(outs[0], outs[1])
        assert not np.array_equal(outs[0], fresh)
        ask(plugin, m.BankLoad(plugin.session, ""))
        begin(plugin)
        np.testing.assert_array_equal(plugin.play(FRAMES), fresh)


def test_reset_in_mid_stream_is_bit_exact(place, tmp_path):
    """No notes: the frames after a reset hang on nothing but the bank."""
    path = str(tmp_path / "bank")
    with started(place) as plugin:
        begin(plugin)
        plugin.play(FRAMES)
        ask(plugin, m.BankSave(plugin.session, path))
        size = FRAMES * plugin.spec.frame_samples
        expected = plugin.play(2 * FRAMES)[-size:]
        ask(plugin, m.BankLoad(plugin.session, path))
        ask(plugin, m.Reset(plugin.session, 0))
        np.testing.assert_array_equal(plugin.play(3 * FRAMES)[-size:], expected)
        ask(plugin, m.Reset(plugin.session, 7))
        assert not np.array_equal(plugin.play(4 * FRAMES)[-size:], expected)


def test_prefill_while_another_session_plays(place, tmp_path):
    audio = np.random.default_rng(1).normal(0, 0.2, (60 * 1920, 2))
    soundfile.write(tmp_path / "clip.wav", audio, 48000, "FLOAT")
    with started(place) as plugin, started(place) as other, plugin.beating(), other.beating():
        begin(other)
        alone = other.play(4 * FRAMES)
        begin(plugin)
        fresh = plugin.play(FRAMES)
        number = plugin.client.send(m.Prefill(plugin.session, str(tmp_path / "clip.wav")))
        begin(other)
        np.testing.assert_array_equal(other.play(4 * FRAMES), alone)
        reply = plugin.client.receive(120)
        assert (reply.re, reply.body) == (number, m.PrefillReply(plugin.session))
        begin(plugin)
        after = plugin.play(FRAMES)
        assert not np.array_equal(after, fresh)
        begin(plugin)
        np.testing.assert_array_equal(plugin.play(FRAMES), after)


def test_refusals_change_nothing(place, tmp_path):
    (tmp_path / "text").write_text("neither a bank nor sound")
    soundfile.write(tmp_path / "short.wav", np.zeros((4800, 2)), 48000)
    with started(place) as plugin:
        begin(plugin)
        expected = plugin.play(FRAMES)
        number = plugin.session
        for body, code in (
            (m.BankSave(number, str(tmp_path / "no" / "bank")), "io"),
            (m.BankSave(number, "bank"), "bad_field"),
            (m.BankSave(number, "/a\0b"), "bad_field"),
            (m.BankLoad(number, str(tmp_path / "none")), "io"),
            (m.BankLoad(number, str(tmp_path / "text")), "io"),
            (m.Prefill(number, str(tmp_path / "text")), "io"),
            (m.Prefill(number, str(tmp_path / "short.wav")), "model_failed"),
            (m.Reset(number + 1, 0), "unknown_session"),
        ):
            assert refusal(plugin, body).code == code, body
        begin(plugin)
        np.testing.assert_array_equal(plugin.play(FRAMES), expected)


def test_a_model_without_banks_or_encoder_says_so(place, tmp_path):
    with WirePlugin(place.runtime) as plugin:
        plugin.open()
        bank = refusal(plugin, m.BankSave(plugin.session, str(tmp_path / "bank")))
        assert (bank.code, "no banks" in str(bank)) == ("io", True)
        sound = refusal(plugin, m.Prefill(plugin.session, ""))
        assert (sound.code, "cannot go on from sound" in str(sound)) == ("model_failed", True)


def prefill_and_close(place: Sandbox) -> list[m.ReplyBody]:
    """The two replies, in the order in which they came."""
    with started(place) as plugin:
        begin(plugin)
        plugin.client.send(m.Prefill(plugin.session, ""))
        plugin.client.send(m.Close(plugin.session))
        replies = [plugin.client.receive(60) for _ in range(2)]
        assert None not in replies
        return [reply.body for reply in replies]


def test_a_session_that_ends_takes_its_prefill_with_it(place):
    for _ in range(20):
        replies = prefill_and_close(place)
        if not isinstance(replies[0], m.PrefillReply):  # else it was done before we could close
            break
        assert isinstance(replies[1], m.CloseReply)
    (closed,) = (reply for reply in replies if isinstance(reply, m.CloseReply))
    (refused,) = (reply for reply in replies if reply is not closed)
    assert refused.code == "unknown_session"
    with started(place) as plugin:
        begin(plugin)
        plugin.play(2)
