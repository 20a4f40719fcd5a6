# SPDX-License-Identifier: GPL-3.0-or-later
"""The onset measurement, measured: on tones whose onsets are known."""

from pathlib import Path

import numpy as np
import pytest

from bandmate.report.notes import Note, notes_of
from bandmate.report.onsets import measure_onsets
from bandmate.session.midi import read_midi

RATE = 48000
MUSIC = Path(__file__).parents[1] / "music"


def played(notes: list[Note], shift: float, attack: float) -> np.ndarray:
    """A plain tone for each note, `shift` seconds late, over a little noise."""
    length = round((max(note.end for note in notes) + 1.0) * RATE)
    audio = 1e-4 * np.random.default_rng(0).normal(size=length)
    for note in notes:
        t = np.arange(round((note.end - note.start) * RATE)) / RATE
        frequency = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * frequency * n * t) / n for n in (1, 2, 3))
        envelope = np.exp(-2 * t) * np.clip(t / attack, 0, 1) * np.clip((t[-1] - t) / 0.02, 0, 1)
        start = max(0, round((note.start + shift) * RATE))
        audio[start : start + len(t)] += 0.1 * tone * envelope
    return audio.astype(np.float32)


@pytest.fixture(scope="module")
def line() -> list[Note]:
    return notes_of(read_midi(MUSIC / "heldout_mono.mid", RATE), RATE)


@pytest.mark.parametrize("shift", [0.0, 0.015, 0.040])
def test_a_constant_lateness_is_measured(line: list[Note], shift: float) -> None:
    report = measure_onsets(played(line, shift, attack=0.002), RATE, line)
    assert report.found == report.written == len(line)
    assert report.median_ms == pytest.approx(shift * 1e3, abs=4.0)


def test_silence_has_no_onsets(line: list[Note]) -> None:
    report = measure_onsets(np.zeros((25 * RATE, 2), np.float32), RATE, line)
    assert report.found == 0
    assert np.isnan(report.median_ms)


def test_steady_noise_has_no_onsets(line: list[Note]) -> None:
    """What does not follow the notes must not be credited with having played them."""
    noise = np.random.default_rng(1).normal(size=25 * RATE).astype(np.float32) * 0.1
    tone = 0.5 * np.sin(2 * np.pi * 300 * np.arange(25 * RATE) / RATE).astype(np.float32)
    assert measure_onsets(noise + tone, RATE, line).found < len(line) / 10
    assert measure_onsets(tone, RATE, line[1:]).found == 0  # the tone itself starts at 0
