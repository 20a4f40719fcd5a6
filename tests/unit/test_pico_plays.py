# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model, with the weights that ship, follows what is played."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

from bandmate.models.interface import (  # noqa: E402
    DRUMS_MASKED,
    NOTE_ONSET_PHASE_0,
    NOTE_SUSTAIN,
    PITCHES,
    FrameControls,
    Model,
    StyleEncoder,
)
from bandmate.models.registry import find_bundle, load_model  # noqa: E402

FRAMES_PER_NOTE = 12
MELODY = (60, 64, 67, 72, 69, 65, 62, 55)


@pytest.fixture(scope="module")
def loaded() -> tuple[Model, StyleEncoder]:
    model, style = load_model(find_bundle("pico"))
    assert style is not None
    return model, style


def play(loaded: tuple[Model, StyleEncoder], melody: tuple[int, ...], seed: int = 1) -> np.ndarray:
    """Mono sound of a legato melody, the model's delay trimmed."""
    model, encoder = loaded
    style = encoder.quantise(encoder.encode_text("grand piano"))
    state, frames = model.init_state(), []
    for index in range(len(melody) * FRAMES_PER_NOTE + 2):
        notes = np.zeros(PITCHES, np.int32)
        number, age = divmod(index, FRAMES_PER_NOTE)
        if number < len(melody):
            notes[melody[number]] = NOTE_SUSTAIN if age else NOTE_ONSET_PHASE_0
        controls = FrameControls(
            style, notes, DRUMS_MASKED, (3.0, 1.0, 1.0), 0.3, 40, seed, index, anew=age < 2
        )
        (audio,), (state,) = model.step([controls], [state])
        frames.append(audio)
    return np.concatenate(frames)[model.spec.delay_samples :, 0]


def level_at(piece: np.ndarray, rate: int, pitch: float) -> float:
    """Energy near a pitch's fundamental."""
    power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 65_536)) ** 2
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    low, high = (int(hertz * f * 65_536 / rate) for f in (0.985, 1.015))
    return float(power[low : high + 1].sum())


def test_played_pitches_sound(loaded: tuple[Model, StyleEncoder]) -> None:
    rate, frame = loaded[0].spec.sample_rate, loaded[0].spec.frame_samples
    sound = play(loaded, MELODY)
    right = 0
    for number, pitch in enumerate(MELODY):
        start = number * FRAMES_PER_NOTE * frame
        piece = sound[start + rate // 12 : start + FRAMES_PER_NOTE * frame]
        beside = max(level_at(piece, rate, pitch + step) for step in (-2, 2))
        right += level_at(piece, rate, pitch) > 10 * beside
    assert right >= 6, f"{right} of {len(MELODY)} notes were heard at their pitch"


def test_the_same_seed_gives_the_same_sound_and_another_another(
    loaded: tuple[Model, StyleEncoder],
) -> None:
    first, again, other = (play(loaded, MELODY[:2], seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_an_empty_roll_is_quiet(loaded: tuple[Model, StyleEncoder]) -> None:
    model, encoder = loaded
    style = encoder.quantise(encoder.encode_text("grand piano"))
    state = model.init_state()
    for index in range(50):
        controls = FrameControls(
            style, np.zeros(PITCHES, np.int32), DRUMS_MASKED, (3.0, 1.0, 1.0), 0.3, 40, 1, index
        )
        (audio,), (state,) = model.step([controls], [state])
    assert np.sqrt(np.mean(audio**2)) < 0.01
