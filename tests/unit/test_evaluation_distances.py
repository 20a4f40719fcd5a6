# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of a codec, on sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from support.tones import RATE, sine, tones

from bandmate.evaluation import distances
from bandmate.evaluation.codec_stages import CodecStages, NoStagesError
from bandmate.models.registry import find_bundle
from bandmate.report.notes import Note

MELODY = [Note(0.5 * n, 0.5 * n + 0.45, 60 + step) for n, step in enumerate((0, 4, 7, 12, 9, 5))]


@pytest.fixture(scope="module")
def melody() -> np.ndarray:
    return tones(MELODY, 4.0)


def test_a_sound_is_no_distance_from_itself_and_half_of_it_is_6_db(melody: np.ndarray) -> None:
    mono = melody[:, 0]
    same = distances.spectral(mono, mono, RATE)
    assert same == {"log_stft_db": 0.0, "convergence": 0.0}
    half = distances.spectral(mono, mono / 2, RATE)
    # Bins less than 6 dB over the floor cannot fall by 6 dB
    assert half["log_stft_db"] == pytest.approx(6.02, abs=0.8)
    assert half["convergence"] == pytest.approx(0.5, abs=1e-3)


def test_a_wrong_note_is_further_than_a_little_noise(melody: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(size=len(melody)) * 1e-4
    near = distances.spectral(melody[:, 0], melody[:, 0] + noise, RATE)
    moved = [Note(n.start, n.end, n.pitch + 1) for n in MELODY]
    far = distances.spectral(melody[:, 0], tones(moved, 4.0)[:, 0], RATE)
    for figure in near:
        assert far[figure] > 3 * near[figure]


def test_clicks_at_frame_borders_make_a_line(melody: np.ndarray) -> None:
    clicked = sine(220, 8.0)[:, 0]
    clean = distances.line_db(clicked, RATE, 25.0)
    clicked[::1920] += 0.01
    assert distances.line_db(clicked, RATE, 25.0) > clean + 15
    assert distances.line_db(clicked, RATE, 33.0) < clean + 6


def test_mono_has_no_side_and_opposed_channels_nothing_else() -> None:
    mono = sine(300, 1.0)
    assert distances.side_db(mono) == distances.SIDE_FLOOR_DB
    left_only = mono * np.array([1, 0], np.float32)
    assert distances.side_db(left_only) == pytest.approx(0.0, abs=0.01)
    assert distances.side_db(mono * np.array([1, -1], np.float32)) > 60


def test_swapped_and_lost_stereo_is_seen() -> None:
    panned = sine(300, 1.0) * np.array([1.0, 0.5], np.float32)  # 6 dB to the left
    assert distances.balance_error_db(panned, panned, RATE) == 0
    swapped = distances.balance_error_db(panned, panned[:, ::-1], RATE)
    folded = np.repeat(panned.mean(axis=1, keepdims=True), 2, axis=1)
    lost = distances.balance_error_db(panned, folded, RATE)
    assert swapped == pytest.approx(12.0, abs=0.1)
    assert lost == pytest.approx(6.0, abs=0.1)


def test_opus_is_a_sound_of_the_same_length_at_about_6_kbps(melody: np.ndarray) -> None:
    decoded, bits = distances.opus(melody, RATE)
    assert decoded.shape == melody.shape
    assert 5_000 < bits < 9_000
    assert 0 < distances.spectral(melody[:, 0], decoded[:, 0], RATE)["convergence"] < 0.8


def test_perplexity_counts_what_is_in_use() -> None:
    even, one = np.arange(1000) % 8, np.zeros(1000, int)
    found = distances.perplexity(np.stack([even, one], axis=1), 16)
    assert found == pytest.approx([8.0, 1.0])


def test_the_codec_is_better_than_its_shuffled_codes(melody: np.ndarray) -> None:
    stages = CodecStages(find_bundle("pico"))
    codes = stages.codes(melody)
    shuffled = np.random.default_rng(0).permutation(codes)
    sounds = {
        "features": stages.stage("features", melody),
        "unquantised": stages.stage("unquantised", melody),
        "codec": stages.decode(codes, len(melody)),
        "shuffled": stages.decode(shuffled, len(melody)),
    }
    assert all(sound.shape == melody.shape for sound in sounds.values())
    far = {
        name: distances.spectral(melody[:, 0], sound.mean(axis=1), RATE)["convergence"]
        for name, sound in sounds.items()
    }
    assert far["features"] < far["codec"] < far["shuffled"] - 0.2
    assert far["unquantised"] <= far["codec"]
    assert 3_000 < stages.bits_per_second < 6_001


def test_stages_lie_on_top_of_their_source() -> None:
    click = np.zeros((RATE, 2), np.float32)
    click[20_000] = 0.9
    stages = CodecStages(find_bundle("pico"))
    heard = np.square(stages.stage("features", click)).sum(axis=1)
    middle = int(np.convolve(heard, np.ones(64), "same").argmax())
    assert abs(middle - 20_000) < 0.005 * RATE


def test_a_codec_that_cannot_be_taken_apart_is_said_so() -> None:
    with pytest.raises(NoStagesError, match="testtone"):
        CodecStages(find_bundle("testtone"))
