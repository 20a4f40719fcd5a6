# SPDX-License-Identifier: GPL-3.0-or-later
"""The test tone: every sample depends on stream time and notes alone."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.models.interface import FrameControls, StampedNote
from bandmate.models.registry import find_bundle, load_model
from bandmate.models.testtone import CLICK_LEVEL, RELEASE_SECONDS, SINE_LEVEL

BUNDLE = find_bundle("testtone")
F = BUNDLE.frame.frame_samples
RATE = BUNDLE.frame.sample_rate
RELEASE = round(RELEASE_SECONDS * RATE)


@pytest.fixture
def model():
    loaded, encoder = load_model(BUNDLE)
    assert encoder is None
    return loaded


def controls(index: int, *notes: tuple[int, int, int]) -> FrameControls:
    return FrameControls(
        style=np.zeros(0, np.int32),
        notes=np.zeros(128, np.int32),
        drums=-1,
        guidance=(0.0, 0.0, 0.0),
        temperature=0.0,
        top_k=1,
        seed=0,
        frame_index=index,
        events=tuple(StampedNote(*note) for note in notes),
    )


def play(model, notes: dict[int, list[tuple[int, int, int]]], frames: int) -> np.ndarray:
    """Frames of one session in a row, one channel [frames * F]."""
    state, parts = model.init_state(), []
    for k in range(frames):
        (audio,), (state,) = model.step([controls(k, *notes.get(k, []))], [state])
        assert audio.shape == (F, BUNDLE.frame.channels)
        assert audio.dtype == np.float32
        assert (audio[:, 0] == audio[:, 1]).all()
        parts.append(audio[:, 0])
    return np.concatenate(parts)


@pytest.mark.parametrize("offset", [0, 1, 777, F - 1])
def test_click_is_at_the_notes_own_sample(model, offset):
    sound = play(model, {2: [(offset, 69, 100)]}, 5)
    at = 2 * F + offset
    assert not sound[:at].any()
    assert sound[at] == CLICK_LEVEL
    assert np.abs(sound[at + 1 :]).max() <= SINE_LEVEL


def test_sine_has_the_pitch_across_frame_borders(model):
    sound = play(model, {0: [(5, 69, 100)]}, 4)
    age = np.arange(1, len(sound) - 5)
    expected = SINE_LEVEL * np.sin(2 * np.pi * 440.0 * age / RATE)
    np.testing.assert_allclose(sound[6:], expected, atol=1e-6)


def test_release_ends_the_note_across_a_frame_border(model):
    off = 2 * F - 10
    sound = play(model, {0: [(0, 60, 100)], 1: [(F - 10, 60, 0)]}, 4)
    assert np.abs(sound[off - 200 : off]).max() > 0.9 * SINE_LEVEL
    assert np.abs(sound[off : off + RELEASE - 1]).max() > 0.0
    assert not sound[off + RELEASE :].any()


def test_tap_of_no_length_still_clicks(model):
    sound = play(model, {0: [(100, 60, 100), (100, 60, 0)]}, 2)
    assert sound[100] == CLICK_LEVEL
    assert not sound[100 + RELEASE :].any()


def test_voices_add_and_never_exceed_full_scale(model):
    pair = play(model, {0: [(0, 60, 100), (50, 67, 100)]}, 2)
    alone = play(model, {0: [(0, 60, 100)]}, 2)
    other = play(model, {0: [(50, 67, 100)]}, 2)
    np.testing.assert_allclose(pair, np.clip(alone + other, -1, 1), atol=1e-6)
    many = play(model, {0: [(0, pitch, 100) for pitch in range(128)]}, 2)
    assert np.abs(many).max() == 1.0


def test_batch_equals_single_steps(model):
    first, second = model.init_state(), model.init_state()
    batch = [controls(0, (7, 60, 100)), controls(0, (9, 72, 100))]
    audio, states = model.step(batch, [first, second])
    for i in range(2):
        (alone,), (state,) = model.step([batch[i]], [model.init_state()])
        np.testing.assert_array_equal(alone, audio[i])
        assert state == states[i]
    assert first == model.init_state()  # the states given are not modified
