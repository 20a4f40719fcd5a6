# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures of time and silence, on sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from support.tones import RATE, sine, tones

from bandmate.evaluation import latency, timing
from bandmate.evaluation.player import Player
from bandmate.report.notes import Note

SPARSE = [Note(3.0 * n + 0.5, 3.0 * n + 1.0, 60 + 2 * n) for n in range(6)]
SECONDS = 19.0


@pytest.mark.parametrize("late", [0.0, 0.012, 0.03])
def test_late_attacks_are_off_by_what_they_are_late(late: float) -> None:
    figures = timing.figures(tones(SPARSE, SECONDS, late), RATE, SPARSE)
    assert figures["onsets_found"] == figures["onsets_played"] == len(SPARSE)
    assert figures["onset_median_ms"] == pytest.approx(late * 1e3, abs=3.0)
    assert figures["onset_p90_ms"] == pytest.approx(late * 1e3, abs=4.0)


def test_rests_are_where_nothing_is_or_was_played() -> None:
    found = timing.rests(SPARSE, SECONDS)
    assert found[:2] == [pytest.approx((0.0, 0.47)), pytest.approx((1.6, 3.47))]
    assert len(found) == len(SPARSE) + 1
    clean = tones(SPARSE, SECONDS)
    assert timing.rest_level(clean, RATE, SPARSE) < -100
    hum = clean + sine(110, SECONDS, 0.01)
    assert timing.rest_level(hum, RATE, SPARSE) == pytest.approx(-43.0, abs=0.3)
    assert timing.rest_level(clean, RATE, [Note(0.0, SECONDS, 60)]) is None


def test_silence_has_no_attacks() -> None:
    figures = timing.figures(np.zeros((round(SECONDS * RATE), 2), np.float32), RATE, SPARSE)
    assert figures["onsets_found"] == 0
    assert figures["onset_p90_ms"] is None


@pytest.mark.parametrize("late", [-0.01, 0.0, 0.0113, 0.04])
def test_a_delayed_click_is_heard_where_it_is(late: float) -> None:
    audio = np.zeros((RATE, 2), np.float32)
    start = RATE // 2
    click = start + round(late * RATE)
    audio[click : click + 200] = 0.5
    found = latency.first_sound(audio, RATE, start)
    assert found is not None
    assert abs(found - click) <= latency.BLOCK_SECONDS * RATE


def test_what_sounded_before_is_not_the_note() -> None:
    audio = sine(110, 1.0, 0.01)
    assert latency.first_sound(audio, RATE, RATE // 2) is None
    start = RATE // 2 + 480
    audio[start:] += sine(440, 1.0, 0.2)[: len(audio) - start]
    found = latency.first_sound(audio, RATE, RATE // 2)
    assert found is not None
    assert abs(found - start) <= 2 * latency.BLOCK_SECONDS * RATE


def test_a_model_that_clicks_on_the_note_has_no_latency() -> None:
    with Player("testtone") as player:
        rows = latency.grade(player, True, lambda _: None)["timings"]
    assert rows["tight"]["heard"] == rows["tight"]["played"]
    assert rows["tight"]["frames"] == pytest.approx(0.0, abs=0.03)
