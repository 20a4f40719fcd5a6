# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's thread: batches, streams that fail, loading while others play, budgets."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from support.waiting import wait_for

from bandmate.engine import blas, budget, loading
from bandmate.engine.engine import MAX_BATCH, Engine
from bandmate.engine.loading import Measure
from bandmate.engine.stream import OfflineStream, StreamFailedError
from bandmate.models.bundle import BundleError
from bandmate.models.interface import NOTE_SUSTAIN, FrameControls
from bandmate.models.registry import find_bundle, load_model
from bandmate.models.testtone import TestTone
from bandmate.session.events import Event, EventKind
from bandmate.session.session import Session

BUNDLE = find_bundle("testtone")
F = BUNDLE.frame.frame_samples


class FussyTone(TestTone):
    """The test tone, refusing some pitches in ways a model may; it notes who steps it and how."""

    RAISES, NOT_A_NUMBER, WRONG_SHAPE = 1, 2, 3
    batch_sizes = (1, 2, 4, 8)

    def __init__(self) -> None:
        super().__init__(BUNDLE.frame)
        self.batches: list[int] = []
        self.steps: list[str] = []
        self.threads: set[str] = set()

    def step(self, controls, states):
        self.batches.append(len(controls))
        measuring = (controls[0].notes == NOTE_SUSTAIN).any()  # no session here holds a note so
        self.steps.append("measuring" if measuring else "session")
        self.threads.add(threading.current_thread().name)
        struck = {note.pitch for c in controls for note in c.events}
        if self.RAISES in struck:
            raise RuntimeError("this pitch breaks the model")
        frames, states = super().step(controls, states)
        for c, frame in zip(controls, frames, strict=True):
            if any(note.pitch == self.NOT_A_NUMBER for note in c.events):
                frame[5] = np.nan
        if self.WRONG_SHAPE in struck:
            frames = [frame[:-1] for frame in frames]
        return frames, states


@pytest.fixture
def model(monkeypatch):
    made = FussyTone()
    monkeypatch.setattr(loading, "load_model", lambda bundle, precision: (made, None))
    return made


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config" / "engine.json"


class Take:
    """An offline stream and the sound it made."""

    def __init__(self, frames: int, pitches: Sequence[tuple[int, int]]) -> None:
        self.session = Session(BUNDLE, None)
        for time, pitch in pitches:
            self.session.push(Event(time, EventKind.NOTE_ON, 0, pitch, 100))
        self.parts: list[np.ndarray] = []
        self.stream = OfflineStream(self.session, frames, self.parts.append)

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate(self.parts)


def run(engine: Engine, *takes: Take) -> None:
    """Attaches all at once, so that they share every batch."""
    loaded = engine.load("testtone").result(10)

    def attach() -> None:
        loaded.streams.extend(take.stream for take in takes)

    engine.post(attach).result(10)
    for take in takes:
        take.stream.done.exception(30)


def test_streams_share_batches_and_sound_as_if_alone(model):
    with Engine(measure=Measure.NEVER) as engine:
        together = [Take(5, [(n * 7, 60 + n)]) for n in range(3)]
        run(engine, *together)
        assert model.batches[-5:] == [4] * 5  # three streams, filled up to a size the model has
        alone = [Take(5, [(n * 7, 60 + n)]) for n in range(3)]
        for take in alone:
            run(engine, take)
        assert set(model.batches[-15:]) == {1}
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_array_equal(a.sound, b.sound)
    assert model.threads == {"inference"}


def test_more_streams_than_a_batch(model):
    with Engine(measure=Measure.NEVER) as engine:
        takes = [Take(2, [(n, 50)]) for n in range(MAX_BATCH + 3)]
        run(engine, *takes)
        assert model.batches[-4:] == [8, 4] * 2
        for n, take in enumerate(takes):
            assert np.argmax(take.sound[:, 0]) == n


@pytest.mark.parametrize("fault", [1, 2, 3])
def test_a_stream_that_fails_ends_alone(model, fault):
    with Engine(measure=Measure.NEVER) as engine:
        good, bad, other = Take(6, [(9, 60)]), Take(6, [(2 * F, fault)]), Take(6, [(11, 62)])
        run(engine, good, bad, other)
        with pytest.raises(StreamFailedError) as failed:
            bad.stream.done.result()
        assert "\n" not in str(failed.value)
        assert len(bad.parts) == 2
        assert good.stream.done.exception() is None
        assert np.argmax(good.sound[:, 0]) == 9
        assert np.argmax(other.sound[:, 0]) == 11
        assert len(good.parts) == len(other.parts) == 6
        assert bad.stream not in engine.loaded().result(5)[0].streams


def test_a_stream_whose_own_code_fails_ends_alone(model):
    class Broken(OfflineStream):
        def take(self):
            raise ValueError("no controls")

    with Engine(measure=Measure.NEVER) as engine:
        good, bad = Take(4, [(9, 60)]), Take(4, [])
        bad.stream = Broken(bad.session, 4, bad.parts.append)
        run(engine, good, bad)
        assert isinstance(bad.stream.done.exception(), StreamFailedError)
        assert len(good.parts) == 4


def test_a_model_loads_once_and_a_broken_one_harms_nobody(monkeypatch):
    loads = []
    real = loading.load_model

    def counted(bundle, precision):
        loads.append(bundle.name)
        return real(bundle, precision)

    monkeypatch.setattr(loading, "load_model", counted)
    with Engine(measure=Measure.NEVER) as engine:
        futures = [engine.load("testtone") for _ in range(5)]
        first = futures[0].result(10)
        assert all(future.result(10) is first for future in futures)
        with pytest.raises(BundleError):
            engine.load("no such model").result(10)
        assert engine.load("testtone").result(10) is first
        assert loads == ["testtone"]


def test_an_unused_model_is_unloaded(monkeypatch):
    monkeypatch.setattr(loading, "UNLOAD_SECONDS", 0.2)
    with Engine(measure=Measure.NEVER) as engine:
        engine.load("testtone").result(10)
        wait_for(lambda: engine.loaded().result(5) == [], "the model's end", 10)
        take = Take(2, [(3, 60)])
        run(engine, take)
        assert np.argmax(take.sound[:, 0]) == 3


def test_streams_play_on_while_a_model_is_measured(model, monkeypatch, config):
    """Loading goes in pieces: frames of others are made in between."""
    with Engine(measure=Measure.ALWAYS) as engine:
        loaded = engine.load("testtone").result(30)
        take = Take(40, [])
        monkeypatch.setattr(loading, "find_bundle", lambda name: replace(BUNDLE, name=name))

        def both() -> None:
            model.steps.clear()
            loaded.streams.append(take.stream)
            engine.load("another")

        engine.post(both).result(10)
        take.stream.done.result(30)
        wait_for(lambda: len(engine.loaded().result(5)) == 2, "the second model", 10)
    early = model.steps[:40]
    assert early.count("session") >= 15
    assert early.count("measuring") >= 15


def test_streams_play_on_while_weights_are_read(model, monkeypatch, config):
    """The second model's weights are not there before the stream of the first has ended."""
    load = loading.load_on_fast_blas
    with Engine(measure=Measure.NEVER) as engine:
        loaded = engine.load("testtone").result(30)
        take = Take(40, [])

        def slow_load(*arguments):
            take.stream.done.result(30)
            return load(*arguments)

        monkeypatch.setattr(loading, "find_bundle", lambda name: replace(BUNDLE, name=name))
        monkeypatch.setattr(loading, "load_on_fast_blas", slow_load)
        coming = engine.load("another")
        engine.attach(loaded, take.stream).result(10)
        assert coming.result(40).bundle.name == "another"
        assert len(take.parts) == 40


def test_a_known_budget_is_not_measured_again(model, config):
    for mode, frames in ((Measure.UNKNOWN, True), (Measure.UNKNOWN, False), (Measure.NEVER, False)):
        model.steps.clear()
        with Engine(measure=mode) as engine:
            loaded = engine.load("testtone").result(30)
            assert loaded.budget_ms == json.loads(config.read_text())["models"][0]["budget_ms"]
        # A few frames are always made, so that the first one that is heard is not the slow one.
        assert (len(model.steps) > budget.WARM_UP_FRAMES) == frames
        assert len(model.steps) >= budget.WARM_UP_FRAMES


class LiveStream(OfflineStream):
    """A stream somebody hears: its input for frame k is there when `allowed` says so."""

    is_patient = False
    allowed = 0
    due = 0.0

    def ready(self) -> bool:
        return super().ready() and self.made < self.allowed

    @property
    def made(self) -> int:
        return self._frames.frame_index

    def due_seconds(self) -> float:
        return self.due


def test_who_can_wait_lets_go_first_who_cannot(model):
    with Engine(measure=Measure.NEVER) as engine:
        live, offline = Take(2, [(9, 60)]), Take(3, [(7, 62)])
        live.stream = LiveStream(live.session, 2, live.parts.append)
        loaded = engine.load("testtone").result(10)
        live.stream.due = 0.005  # its input comes in 5 ms; a step takes longer than that
        loaded.step_seconds = 0.01

        def attach() -> None:
            model.batches.clear()
            loaded.streams.extend((live.stream, offline.stream))

        engine.post(attach).result(10)
        rounds = [engine.post(lambda: len(offline.parts)).result(10) for _ in range(20)]
        assert rounds == [0] * 20
        live.stream.allowed = 1
        wait_for(lambda: len(live.parts) == 1, "the live frame")
        assert model.batches == [2]  # who waited shares the step
        live.stream.due = 1.0  # now a step fits in before the next frame
        wait_for(lambda: offline.stream.done.done(), "the offline frames")
        live.stream.allowed = 2
        live.stream.done.result(10)


def test_stop_fails_what_is_left_and_gives_garbage_collection_back(model):
    automatic = gc.isenabled()
    engine = Engine(measure=Measure.NEVER)
    engine.start()
    take = Take(10**9, [])
    loaded = engine.load("testtone").result(10)
    engine.attach(loaded, take.stream).result(10)
    wait_for(lambda: take.parts, "the first frame")
    engine.stop()
    with pytest.raises(StreamFailedError, match="shutting down"):
        take.stream.done.result(10)
    with pytest.raises(RuntimeError):
        engine.post(lambda: None).result(10)
    assert gc.isenabled() == automatic


def test_detach_ends_between_two_frames(model):
    with Engine(measure=Measure.NEVER) as engine:
        take = Take(10**9, [])
        loaded = engine.load("testtone").result(10)
        engine.attach(loaded, take.stream).result(10)
        wait_for(lambda: take.parts, "the first frame")
        assert engine.detach(take.stream).result(10)
        made = len(take.parts)
        assert not engine.detach(take.stream).result(10)
        engine.post(lambda: None).result(10)
        assert len(take.parts) == made


def test_a_stream_that_was_taken_out_is_never_waited_for(model):
    """Whoever took it out closes its memory at once; the others' thread must not touch it."""
    out: set[int] = set()
    faults = []

    def wait(streams, seconds):
        faults.extend(stream for stream in streams if id(stream) in out)

    with Engine(wait, measure=Measure.NEVER) as engine:
        loaded = engine.load("testtone").result(10)
        takes = [Take(0, []) for _ in range(50)]  # none has a frame to make: the engine waits
        for take in takes:
            engine.attach(loaded, take.stream).result(10)
        for take in takes:
            done = engine.detach(take.stream)
            done.add_done_callback(lambda _, stream=take.stream: out.add(id(stream)))
            assert done.result(10)
        engine.post(lambda: None).result(10)
    assert len(out) == 50
    assert not faults


def test_a_wait_that_fails_ends_nobody(model):
    calls = []

    def wait(streams, seconds):
        calls.append(len(streams))
        raise RuntimeError("a fault of ours")

    with Engine(wait, measure=Measure.NEVER) as engine:
        loaded = engine.load("testtone").result(10)
        idle, playing = Take(0, []), Take(3, [(9, 60)])
        engine.attach(loaded, idle.stream).result(10)
        wait_for(lambda: calls, "the first wait")
        engine.attach(loaded, playing.stream).result(10)
        playing.stream.done.result(10)


# Budgets.


def test_budget_rule():
    for frame_ms, expected in ((8.0, 10.0), (8.3, 10.5), (0.01, 1.0), (500.0, 40.0)):
        assert budget.budget_ms([frame_ms] * 50, BUNDLE.frame) == expected
    alone = [budget.budget_ms([ms] * 50, BUNDLE.frame, played=False) for ms in (8.0, 30.0)]
    assert alone == [14.5, 40.0], "frames that follow one another are quicker than in play"


def test_budget_is_learnt_from_long_sessions(config):
    budget.store(BUNDLE, 12.0)
    budget.learn(BUNDLE, [10.0] * (budget.SESSION_FRAMES - 1))
    assert budget.known_ms(BUNDLE) == 12.0
    budget.learn(BUNDLE, [11.0] * budget.SESSION_FRAMES)
    assert budget.known_ms(BUNDLE) == 13.5


def test_budget_is_stored_and_does_not_flicker(config):
    assert budget.store(BUNDLE, 12.0, command=["x"]) == 12.0
    content = json.loads(config.read_text())
    assert content["command"] == ["x"]
    assert content["default_model"] == "pico"
    assert content["models"] == [
        {
            "name": "testtone",
            "frame_samples": F,
            "sample_rate": 48000,
            "channels": 2,
            "delay_samples": 0,
            "defaults": {
                "temperature": 0.1,
                "top_k": 40,
                "guidance_style": 3.0,
                "guidance_notes": 1.0,
                "guidance_drums": 1.0,
            },
            "budget_ms": 12.0,
        }
    ]
    assert budget.store(BUNDLE, 9.0) == 12.0  # a little faster today: no reason to move
    assert budget.store(BUNDLE, 8.0) == 8.0
    assert budget.store(BUNDLE, 8.5) == 8.5
    assert budget.store(BUNDLE, None) == 8.5
    assert json.loads(config.read_text())["command"] == ["x"]
    assert [path.name for path in config.parent.iterdir()] == ["engine.json"]


def test_the_users_own_budget_is_kept(config):
    budget.store(BUNDLE, 12.0)
    content = json.loads(config.read_text())
    content["models"][0].update(budget_ms=30.0, budget_fixed=True)
    config.write_text(json.dumps(content))
    assert budget.store(BUNDLE, 50.0) == 30.0
    assert json.loads(config.read_text())["models"][0]["budget_fixed"] is True


def test_a_budget_of_another_frame_is_forgotten(config):
    budget.store(replace(BUNDLE, frame=replace(BUNDLE.frame, delay_samples=7)), 99.0)
    assert budget.store(BUNDLE, 12.0) == 12.0
    assert len(json.loads(config.read_text())["models"]) == 1


@pytest.mark.parametrize("content", ["", "[]", "{", '{"models": 3}', '{"models": [1, {}]}'])
def test_a_broken_engine_file_is_replaced(config, content):
    config.parent.mkdir()
    config.write_text(content)
    assert budget.store(BUNDLE, 12.0) == 12.0
    assert json.loads(config.read_text())["models"][0]["budget_ms"] == 12.0


def test_an_engine_file_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(tmp_path / "file"))
    with pytest.raises(budget.EngineFileError, match=r"engine\.json"):
        budget.store(BUNDLE, 12.0)


def test_measuring_gives_frame_times(config):
    model = TestTone(BUNDLE.frame)
    times = list(budget.measure(model, BUNDLE, frames=10))
    assert len(times) == 10
    assert min(times) > 0


def test_the_bundled_model_sounds_the_same_in_company():
    """To the bit: a render, which plays alone, must equal a live take among others."""
    blas.activate()
    bundle = find_bundle("pico")
    model, encoder = load_model(bundle)
    styles = [encoder.quantise(encoder.encode_text(text)) for text in ("piano", "strings", "bells")]
    frames = 4

    def controls(player: int, index: int) -> FrameControls:
        example = budget.example_controls(bundle, index)
        return replace(example, seed=player, style=styles[player], temperature=1.0)

    together = [model.init_state() for _ in styles]
    alone = [model.init_state() for _ in styles]
    for index in range(frames):
        audio, together = model.step([controls(p, index) for p in range(3)], together)
        for player in range(3):
            (heard,), (alone[player],) = model.step([controls(player, index)], [alone[player]])
            np.testing.assert_array_equal(audio[player], heard)
    assert np.abs(audio).max() > 0
