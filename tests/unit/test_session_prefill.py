# SPDX-License-Identifier: GPL-3.0-or-later
"""Going on from sound: encoded, its edges cut, fed to the model, and others' frames not touched."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import soundfile

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)
from support.official import write_tiny_bundle  # noqa: E402
from support.waiting import wait_for  # noqa: E402

from bandmate.engine.engine import Engine  # noqa: E402
from bandmate.engine.loading import Measure  # noqa: E402
from bandmate.engine.pieces import run_pieces  # noqa: E402
from bandmate.models.bundle import Bundle, load_bundle  # noqa: E402
from bandmate.models.interface import Model, PrefillError  # noqa: E402
from bandmate.models.mrt2.clip_encoder import EDGE_FRAMES, SILENCE_FRAMES  # noqa: E402
from bandmate.models.registry import find_bundle, load_model  # noqa: E402
from bandmate.session.parameters import Parameter  # noqa: E402
from bandmate.session.prefill import SECONDS_MAXIMUM, ClipError, prefill, read_clip  # noqa: E402
from bandmate.session.session import Session  # noqa: E402

F = 1920


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> tuple[Bundle, Model]:
    bundle = load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundles"), weights=True))
    return bundle, load_model(bundle)[0]


def clip(frames: int) -> np.ndarray:
    """Noise [samples, 2]: every frame gets codes of its own."""
    return np.random.default_rng(1).normal(0, 0.2, (frames * F, 2)).astype(np.float32)


def finish(work: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def play(model: Model, session: Session, frames: int) -> np.ndarray:
    out = []
    for _ in range(frames):
        state = model.init_state() if session.state is None else session.state
        (audio,), (state,) = model.step([session.controls()], [state])
        out.append(session.finish(audio, state))
    return np.stack(out)


def test_codes_are_those_of_the_clip_at_once_without_its_edges(loaded):
    _, model = loaded
    audio = clip(2 * EDGE_FRAMES + 6)
    codes = finish(model.encode_clip(np.concatenate([audio, audio[:5]])))
    encoder = model._encoder
    whole = encoder._quantizer.encode(encoder._encoder.clip(mx.array(audio)), codes.shape[1])
    np.testing.assert_array_equal(codes, np.array(whole)[EDGE_FRAMES:-EDGE_FRAMES])
    assert len(np.unique(codes, axis=0)) > 1


def test_silence_is_its_middle_frame_throughout(loaded):
    _, model = loaded
    codes = finish(model.encode_clip(None))
    long = finish(model.encode_clip(np.zeros((150 * F, 2), np.float32)))
    np.testing.assert_array_equal(codes, np.tile(long[50], (SILENCE_FRAMES, 1)))


@pytest.mark.parametrize("native", [True, False])
def test_states_are_those_of_forced_frames(loaded, native, monkeypatch):
    """As if each frame had been stepped with the clip's codes as its own and as the one before."""
    bundle, model = loaded
    if not native:
        monkeypatch.setattr(model, "_cpu", None)
    codes = finish(model.encode_clip(clip(2 * EDGE_FRAMES + 6)))
    controls = Session(bundle, None).prefill_controls()
    state = finish(model.prefill(controls, codes))
    wanted, depthformer = model.depthformer.init_state(1), model.depthformer
    tokens = mx.array(depthformer.layout.tokens([controls])[:, None])
    for frame in codes[:-1]:
        wanted["previous"] = depthformer.ids(mx.array(frame[None]))
        wanted = depthformer.forced_frame(tokens, mx.array(frame[None]), wanted)
    wanted["previous"] = depthformer.ids(mx.array(codes[-1:]))
    have = state.language.own_tree()
    np.testing.assert_array_equal(np.array(have["previous"]), np.array(wanted["previous"]))
    np.testing.assert_array_equal(np.array(have["frames"]), np.array(wanted["frames"]))
    for kind in ("keys", "values", "cross_keys", "cross_values"):
        for ours, theirs in zip(have[kind], wanted[kind], strict=True):
            np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-4, atol=1e-4)


def test_a_stream_goes_on_from_the_clip(loaded):
    bundle, model = loaded
    session = Session(bundle, None, 5)
    session.parameters[Parameter.TEMPERATURE] = 0.0
    fresh = play(model, session, 4)
    outs = []
    for audio in (clip(60), clip(60), None):
        session.reset_target = finish(prefill(bundle, model, session.prefill_controls(), audio))
        session.reset()
        outs.append(play(model, session, 4))
    np.testing.assert_array_equal(outs[0], outs[1])
    assert not np.array_equal(outs[0], outs[2])
    assert not np.array_equal(outs[0], fresh)
    assert outs[0][0].any(), "the codec is in the middle of the clip, not at its own start"


def test_what_cannot_be_gone_on_from_is_refused(loaded):
    bundle, model = loaded
    session = Session(bundle, None)
    with pytest.raises(PrefillError, match=r"too short: it must last 2\.04 s"):
        finish(prefill(bundle, model, session.prefill_controls(), clip(2 * EDGE_FRAMES)))
    tone = find_bundle("testtone")
    with pytest.raises(PrefillError, match="'testtone' cannot go on from sound"):
        finish(prefill(tone, load_model(tone)[0], session.prefill_controls(), None))


def test_the_bundled_model_goes_on_from_sound_and_from_silence():
    bundle = find_bundle("pico")
    model, encoder = load_model(bundle)
    session = Session(bundle, encoder)
    seconds = np.arange(bundle.frame.sample_rate) / bundle.frame.sample_rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)[:, None]
    sizes = {}
    for name, audio in (("tone", tone), ("silence", None)):
        point = finish(prefill(bundle, model, session.prefill_controls(), audio))
        sizes[name] = [np.abs(a).sum() for a in model.state_arrays(point.state).values()]
    assert sizes["tone"] != sizes["silence"]
    with pytest.raises(PrefillError, match="too short"):
        finish(prefill(bundle, model, session.prefill_controls(), tone[:3000]))


def test_clips_of_any_rate_and_channels(tmp_path):
    spec = find_bundle("testtone").frame
    tone = np.sin(2 * np.pi * 440 / 44100 * np.arange(2 * 44100)).astype(np.float32) * 0.5
    for name, audio in (("mono", tone), ("three", np.stack([tone] * 3, axis=1))):
        soundfile.write(tmp_path / f"{name}.wav", audio, 44100, "FLOAT")
        read = read_clip(tmp_path / f"{name}.wav", spec)
        assert read.shape[1] == spec.channels
        assert abs(len(read) - 2 * spec.sample_rate) < 50
        spectrum = np.abs(np.fft.rfft(read[: spec.sample_rate, 0]))
        assert spectrum.argmax() == 440
    long = np.zeros(((SECONDS_MAXIMUM + 3) * 8000, 1), np.float32)
    long[-8000:] = 0.5
    soundfile.write(tmp_path / "long.wav", long, 8000, "FLOAT")
    read = read_clip(tmp_path / "long.wav", spec)
    assert abs(len(read) - SECONDS_MAXIMUM * spec.sample_rate) < 100
    assert np.abs(read[-spec.sample_rate // 2 : -1000]).min() > 0.4, "it is the end that counts"


def test_files_that_are_no_sound_are_refused(tmp_path):
    spec = find_bundle("testtone").frame
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "nan.wav", np.full((9000, 2), np.nan), 48000, "FLOAT")
    for name, message in (
        ("none.wav", "There is no"),
        ("text.wav", "cannot be read"),
        ("nan.wav", "no sound"),
    ):
        with pytest.raises(ClipError, match=message):
            read_clip(tmp_path / name, spec)


class LiveStream:
    """A stream whose next frame is a given time away and is never ready."""

    is_patient = False

    def __init__(self) -> None:
        self.due = 0.0
        self.asked = 0

    def ready(self) -> bool:
        return False

    def imminent(self) -> bool:
        return False

    def due_seconds(self) -> float:
        self.asked += 1
        return self.due

    def fail(self, reason: str) -> None:
        pass


def test_pieces_only_use_the_time_that_streams_leave(monkeypatch, tmp_path):
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(tmp_path))
    taken: list[str] = []

    def work() -> Generator[None, None, str]:
        for _ in range(5):
            taken.append(threading.current_thread().name)
            yield
        return "done"

    with Engine(measure=Measure.NEVER) as engine:
        stream, given_up, results = LiveStream(), threading.Event(), []
        engine.attach(engine.load("testtone").result(30), stream).result(5)
        runner = threading.Thread(
            target=lambda: results.append(run_pieces(engine, work(), given_up))
        )
        runner.start()
        wait_for(lambda: stream.asked > 20, "tries")
        assert taken == []
        stream.due = 10.0
        runner.join(10)
        assert results == ["done"]
        assert taken == ["inference"] * 5
        stream.due = 0.0
        given_up.set()
        assert run_pieces(engine, work(), given_up) is None


def test_pieces_pass_errors_on(monkeypatch, tmp_path):
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(tmp_path))

    def work() -> Generator[None, None, None]:
        yield
        raise PrefillError("not this one")

    with Engine() as engine, pytest.raises(PrefillError, match="not this one"):
        run_pieces(engine, work(), threading.Event())
