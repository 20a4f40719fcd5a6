# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of sounds are told apart by ear, and blends are followed, on sounds that are known."""

from __future__ import annotations

import numpy as np
import pytest
from support.tones import RATE, tones

from bandmate.evaluation import source, style
from bandmate.evaluation.timbre import Reference, features
from bandmate.report.notes import Note

TUNE = [Note(0.5 * n, 0.5 * n + 0.42, 62 + step) for n, step in enumerate((0, 2, 4, 7, 5, 9, 12))]
SECONDS = 4.0
KINDS = {  # partials, decay, attack
    "plucked": ((1.0, 0.7, 0.5, 0.4, 0.3), 6.0, 0.002),
    "blown": ((1.0, 0.1), 0.2, 0.08),
    "reedy": ((0.4, 0.0, 0.4, 0.0, 0.4, 0.0, 0.4), 0.1, 0.03),
}


def sound(kind: str, brighter: float = 1.0, level: float = 1.0, decay: float = 1.0) -> np.ndarray:
    partials, fall, attack = KINDS[kind]
    tilted = [a * brighter**n for n, a in enumerate(partials)]
    return tones(TUNE, SECONDS, 0.0, tilted, fall * decay, attack) * np.float32(level)


@pytest.fixture(scope="module")
def known() -> Reference:
    return Reference([(kind, features(sound(kind), RATE, TUNE)) for kind in KINDS])


@pytest.mark.parametrize("kind", KINDS)
def test_a_family_is_told_by_its_colour_and_not_by_its_level(known: Reference, kind: str) -> None:
    variant = sound(kind, brighter=0.85, level=0.3, decay=1.2)
    assert known.nearest(features(variant, RATE, TUNE)) == kind


def test_a_wrong_family_is_called_wrong(known: Reference) -> None:
    heard = known.nearest(features(sound("blown", 0.9), RATE, TUNE))
    rows = [{"family": "plucked", "heard": heard}, {"family": "blown", "heard": heard}]
    assert style.share(rows) == 0.5


def test_silence_has_no_family() -> None:
    with pytest.raises(ValueError, match="silent"):
        features(np.zeros((RATE, 2), np.float32), RATE, TUNE)


def test_an_even_blend_is_monotone_and_a_jump_is_seen() -> None:
    a, b = np.array([0.0, 1.0, 2.0]), np.array([4.0, -1.0, 2.0])
    even = style.progress(np.array([a + w * (b - a) for w in style.STEPS]))
    assert even["monotone"]
    assert even["positions"] == pytest.approx(style.STEPS)
    assert even["largest_step"] == pytest.approx(0.25)
    jump = style.progress(np.array([a, a, a, b, b]))
    assert jump["largest_step"] == pytest.approx(1.0)
    back = style.progress(np.array([a, (a + b) / 2, a, b, b]))
    assert not back["monotone"]
    assert not style.progress(np.array([a] * 5))["monotone"]


@pytest.mark.skipif(not source.is_there(), reason=source.how_to_get())
def test_a_sound_source_is_heard_as_itself() -> None:
    ear = style.Ear(lambda _: None)
    passage, _ = ear.passage("grand piano")
    for family in ("grand piano", "organ", "strings", "mallets"):
        audio = passage.by(source.plainest(family))
        assert ear.hear(audio, family) == family
        worn = audio + np.random.default_rng(0).normal(size=audio.shape) * 1e-3
        assert ear.hear(worn.astype(np.float32), family) == family
    assert ear.hear(np.zeros_like(audio), "organ") == "silence"
