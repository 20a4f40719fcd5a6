# SPDX-License-Identifier: GPL-3.0-or-later
"""State banks: a stream that goes on from a file is the stream that was never interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)
from support.official import PARITY_DATA, write_tiny_bundle  # noqa: E402

from bandmate.models.bundle import Bundle, load_bundle  # noqa: E402
from bandmate.models.depthformer.linear import WeightFormat  # noqa: E402
from bandmate.models.interface import Model  # noqa: E402
from bandmate.models.mrt2 import loading  # noqa: E402
from bandmate.models.registry import find_bundle, load_model  # noqa: E402
from bandmate.session.banks import (  # noqa: E402
    Bank,
    BankError,
    read_bank,
    resume_point,
    take_bank,
    write_bank,
)
from bandmate.session.events import Event, EventKind  # noqa: E402
from bandmate.session.parameters import Parameter  # noqa: E402
from bandmate.session.session import Session  # noqa: E402

BEFORE, AFTER = 7, 6
GREEDY, SAMPLED = 0.0, 1.0


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Bundle, Model]:
    """An official model at a reduced size."""
    bundle = load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundles"), weights=True))
    return bundle, load_model(bundle)[0]


@pytest.fixture(scope="module")
def pico() -> tuple[Bundle, Model]:
    bundle = find_bundle("pico")
    return bundle, load_model(bundle)[0]


@pytest.fixture(params=["tiny", "pico"])
def loaded(request) -> tuple[Bundle, Model]:
    return request.getfixturevalue(request.param)


def begin(bundle: Bundle, temperature: float, seed: int = 3) -> Session:
    """A session that holds a chord from its first sample on."""
    session = Session(bundle, None, seed)
    session.parameters[Parameter.TEMPERATURE] = temperature
    hold_chord(session)
    return session


def hold_chord(session: Session) -> None:
    for pitch in (48, 60, 67):
        session.push(Event(0, EventKind.NOTE_ON, 0, pitch, 100))


def play(model: Model, session: Session, frames: int) -> np.ndarray:
    out = []
    for _ in range(frames):
        controls = session.controls()
        state = model.init_state() if session.state is None else session.state
        (audio,), (state,) = model.step([controls], [state])
        out.append(session.finish(audio, state))
    return np.stack(out)


@pytest.mark.parametrize("temperature", [GREEDY, SAMPLED])
def test_going_on_from_a_file_is_bit_exact(loaded, tmp_path, temperature):
    bundle, model = loaded
    session = begin(bundle, temperature)
    play(model, session, BEFORE)
    write_bank(tmp_path / "bank", take_bank(bundle, model, session.here()))
    expected = play(model, session, AFTER)
    assert np.abs(expected).max() > 0

    other = Session(bundle, None, 3)
    other.parameters[Parameter.TEMPERATURE] = temperature
    play(model, other, 2)  # no notes: it has gone elsewhere
    hold_chord(other)
    play(model, other, BEFORE)  # the chord is as old as in the first session
    other.reset_target = resume_point(bundle, model, read_bank(tmp_path / "bank"))
    other.reset()
    np.testing.assert_array_equal(play(model, other, AFTER), expected)


def test_a_place_in_a_batch_is_saved_alone(tiny, tmp_path):
    bundle, model = tiny
    sessions = [begin(bundle, SAMPLED, seed) for seed in (1, 2, 3)]
    states = [model.init_state() for _ in sessions]
    for _ in range(4):
        frames, states = model.step([s.controls() for s in sessions], states)
        for session, audio, state in zip(sessions, frames, states, strict=True):
            session.finish(audio, state)
    write_bank(tmp_path / "bank", take_bank(bundle, model, sessions[1].here()))
    expected = play(model, sessions[1], AFTER)
    sessions[1].reset_target = resume_point(bundle, model, read_bank(tmp_path / "bank"))
    sessions[1].reset()
    np.testing.assert_array_equal(play(model, sessions[1], AFTER), expected)


def test_reset_replays_and_rotation_varies(tiny):
    bundle, model = tiny
    session = begin(bundle, SAMPLED)
    play(model, session, 1)
    session.reset()
    first = play(model, session, AFTER)
    session.reset()
    np.testing.assert_array_equal(play(model, session, AFTER), first)
    session.reset(rotation=1)
    assert not np.array_equal(play(model, session, AFTER), first)
    session.reset()
    np.testing.assert_array_equal(play(model, session, AFTER), first)


def test_each_epoch_begins_with_the_target(tiny):
    bundle, model = tiny
    session = begin(bundle, GREEDY)
    play(model, session, BEFORE)
    session.reset_target = session.here()
    fresh = Session(bundle, None, 3)
    fresh.parameters[Parameter.TEMPERATURE] = GREEDY
    outs = []
    for one in (session, session, fresh):
        one.begin_epoch(3)
        outs.append(play(model, one, 3))
    np.testing.assert_array_equal(outs[0], outs[1])
    assert not np.array_equal(outs[0], outs[2])


def test_a_bank_taken_before_the_first_frame_is_a_fresh_state(tiny, tmp_path):
    bundle, model = tiny
    session = begin(bundle, GREEDY)
    write_bank(tmp_path / "bank", take_bank(bundle, model, session.here()))
    expected = play(model, session, AFTER)
    other = begin(bundle, GREEDY)
    other.reset_target = resume_point(bundle, model, read_bank(tmp_path / "bank"))
    other.begin_epoch(3)
    hold_chord(other)
    np.testing.assert_array_equal(play(model, other, AFTER), expected)


def test_bfloat16_caches_come_back_exact(tiny, tmp_path, monkeypatch):
    bundle, _ = tiny
    monkeypatch.setattr("bandmate.models.depthformer.cpu.usable", lambda depthformer: False)
    model = loading.load(bundle, WeightFormat(mx.bfloat16))
    session = begin(bundle, GREEDY)
    play(model, session, 3)
    assert session.state.language.tree["keys"][0].dtype == mx.bfloat16
    write_bank(tmp_path / "bank", take_bank(bundle, model, session.here()))
    expected = play(model, session, 3)
    session.reset_target = resume_point(bundle, model, read_bank(tmp_path / "bank"))
    session.reset()
    np.testing.assert_array_equal(play(model, session, 3), expected)


# What is refused.


@pytest.fixture
def bank(tiny, tmp_path) -> Path:
    bundle, model = tiny
    path = tmp_path / "bank"
    write_bank(path, take_bank(bundle, model, begin(bundle, GREEDY).here()))
    return path


FACTS = {"format": "bandmate-bank-1", "model": "tiny", "version": "0", "frame": "0"}


def use(tiny: tuple[Bundle, Model], path: Path) -> None:
    resume_point(*tiny, read_bank(path))


def change(path: Path, name: str, value: np.ndarray | None, facts: dict[str, str] = FACTS) -> None:
    arrays = load_file(path)
    arrays.pop(name, None)
    if value is not None:
        arrays[name] = value
    save_file(arrays, path, facts)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("language.keys.0", None, r"'language.keys.0' is missing"),
        ("language.more", np.zeros(1, np.float32), r"'language.more' is not one of this model"),
        ("language.frames", np.zeros(2, np.int32), r"has shape \[2\], wanted \[1\]"),
        ("language.frames", np.zeros(1, np.int64), r"is int64, wanted int32"),
        ("language.frames", np.full(1, -1, np.int32), "out of range"),
        ("codec.tail", np.full((1, 480, 2), np.nan, np.float32), "out of range"),
    ],
)
def test_wrong_arrays_are_named(tiny, bank, name, value, message):
    change(bank, name, value)
    with pytest.raises(BankError, match=message) as refused:
        use(tiny, bank)
    assert "\n" not in str(refused.value)


def test_codes_outside_the_table_are_refused(tiny, bank):
    change(bank, "language.previous", np.full_like(load_file(bank)["language.previous"], 2**20))
    with pytest.raises(BankError, match="codes out of range"):
        use(tiny, bank)


@pytest.mark.parametrize("frame", ["", "-1", "x", "٣", "9" * 30])
def test_a_broken_description_is_refused(tiny, bank, frame):
    change(bank, "", None, {**FACTS, "frame": frame})
    with pytest.raises(BankError, match="damaged"):
        use(tiny, bank)


def test_other_models_and_files_are_refused(tiny, bank, tmp_path):
    change(bank, "", None, {**FACTS, "model": "other"})
    with pytest.raises(BankError, match="saved with other"):
        use(tiny, bank)
    with pytest.raises(BankError, match="There is no bank"):
        read_bank(tmp_path / "nothing")
    with pytest.raises(BankError, match="There is no bank"):
        read_bank(tmp_path)
    with pytest.raises(BankError, match="no bank of this Bandmate"):
        read_bank(PARITY_DATA / "checkpoint.safetensors")
    for content in (b"", b"junk" * 100, bank.read_bytes()[:-5]):
        (tmp_path / "broken").write_bytes(content)
        with pytest.raises(BankError, match="cannot be read"):
            read_bank(tmp_path / "broken")


def test_a_model_without_banks_says_so():
    bundle = find_bundle("testtone")
    model, _ = load_model(bundle)
    with pytest.raises(BankError, match="'testtone' has no banks"):
        take_bank(bundle, model, Session(bundle, None).here())


def test_a_bank_that_cannot_be_written_leaves_nothing(tmp_path):
    bank = Bank("m", "0", 0, {"a": np.zeros(3, np.float32)})
    with pytest.raises(BankError, match="cannot be written"):
        write_bank(tmp_path / "no folder" / "bank", bank)
    (tmp_path / "taken").mkdir()
    with pytest.raises(BankError, match="cannot be written"):
        write_bank(tmp_path / "taken", bank)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
