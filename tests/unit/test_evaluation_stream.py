# SPDX-License-Identifier: GPL-3.0-or-later
"""What is called a stable stream, and what is not, on streams whose fault is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.tones import RATE, sine, tones

from bandmate.evaluation import stream

SECONDS = 120.0


@pytest.fixture(scope="module")
def programme() -> tuple[list, float]:
    _, notes, period = stream.programme(stream.QUICK_PIECES, SECONDS, RATE)
    return notes, period


@pytest.fixture(scope="module")
def good(programme: tuple[list, float]) -> np.ndarray:
    return tones(programme[0], SECONDS)


def judged(audio: np.ndarray, programme: tuple[list, float]) -> dict[str, Any]:
    return stream.judge(audio, RATE, *programme)


def test_the_same_again_and_again_is_stable(good: np.ndarray, programme) -> None:
    found = judged(good, programme)
    assert found["stable"], found["out_of_band"]
    assert found["rms_off_db"] < 0.5
    assert found["rest_dbfs"] < -100


def test_a_programme_goes_round(programme: tuple[list, float]) -> None:
    notes, period = programme
    assert period % stream.WINDOW_SECONDS == 0
    first = [n for n in notes if n.start < period]
    second = [n for n in notes if period <= n.start < 2 * period]
    assert [n.pitch for n in first] == [n.pitch for n in second]
    assert second[0].start == pytest.approx(first[0].start + period)


def test_a_humming_stream_is_unstable(good: np.ndarray, programme) -> None:
    found = judged(good + sine(220, SECONDS, 0.05), programme)
    assert not found["stable"]
    assert "rest_dbfs" in found["out_of_band"]


@pytest.mark.parametrize("bar_seconds", [2.0, 2.7])
def test_a_stuck_stream_is_unstable(good: np.ndarray, programme, bar_seconds: float) -> None:
    """It plays one bar over and over; its level and colour are as they should be."""
    bar = good[: round(bar_seconds * RATE)]
    found = judged(np.tile(bar, (61, 1))[: len(good)], programme)
    assert "likeness_worst" in found["out_of_band"]


@pytest.mark.parametrize("decibels", [-20.0, 20.0])
def test_a_stream_that_fades_or_runs_away_is_unstable(
    good: np.ndarray, programme, decibels: float
) -> None:
    gain = 10 ** (np.linspace(0, decibels, len(good)) / 20)
    found = judged((good * gain[:, None]).astype(np.float32), programme)
    assert "rms_off_db" in found["out_of_band"]


def test_a_stream_that_goes_dull_is_unstable(good: np.ndarray, programme) -> None:
    dull = tones(programme[0], SECONDS, partials=(1.0,))
    bright = tones(programme[0], SECONDS, partials=(0.3, 0.3, 0.3, 0.3, 0.3, 0.3))
    half = len(good) // 2
    found = judged(np.concatenate([bright[:half], dull[half:]]), programme)
    assert "centroid_off_octaves" in found["out_of_band"]


def test_silence_is_not_stable(good: np.ndarray, programme) -> None:
    assert "quietest_dbfs" in judged(np.zeros_like(good), programme)["out_of_band"]
    gap = good.copy()
    gap[50 * RATE : 60 * RATE] = 0
    assert not judged(gap, programme)["stable"]
