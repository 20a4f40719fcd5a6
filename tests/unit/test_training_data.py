# SPDX-License-Identifier: GPL-3.0-or-later
"""Training data: notes, their rolls, and synthesised sounds that play them as written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="synthesised drums are filtered with scipy (extra `demo`)")
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "train"))

import grooves
import guide
import performance
import phrases
from notes import CLOSEST_STRIKES, SAMPLE_RATE, TICK, TICKS_PER_FRAME, Note, rolls
from sounds import STYLES
from sources.player import play
from sources.synths import SYNTHS

from bandmate.models.pico.stereo import region_matrix, stereo_levels

FRAMES = 256
TICKS = FRAMES * TICKS_PER_FRAME
STARTS = (3, 412, 829)  # ticks, in different places of their frames
SLOW = {"analog pad", "string machine", "fm brass"}


def voice(name: str):
    return SYNTHS[name](np.random.default_rng(3))


def pitches(name: str) -> tuple[int, ...]:
    return (36, 38, 42) if name == "drum machine" else (48, 60, 67)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("style", STYLES, ids=lambda s: s.name)
def test_every_note_is_in_the_rolls_where_it_was_played(style, seed):
    rng = np.random.default_rng(seed)
    s = phrases.setting(rng, style, TICKS)
    written = grooves.groove(rng, s) if style.drums else phrases.pitched(rng, s, style.role)
    played = performance.perform(rng, written, s, jitter=seed % 2 == 1, has_pedal=seed > 2)
    assert played
    values, velocities = rolls(played, FRAMES)
    for note in played:
        assert 0 <= note.start < note.end <= TICKS + CLOSEST_STRIKES
        frame, phase = divmod(note.start, TICKS_PER_FRAME)
        assert values[frame, note.pitch] == 4 + phase
        assert velocities[frame, note.pitch] == note.velocity
        assert 1 <= note.velocity <= 127
    assert np.array_equal(values > 0, velocities > 0)
    assert np.count_nonzero(values >= 4) == len(played)


@pytest.mark.parametrize("name", SYNTHS)
def test_a_sound_begins_on_its_tick_and_does_not_clip(name):
    notes = [Note(s, s + 120, p) for s, p in zip(STARTS, pitches(name), strict=True)]
    audio = play(voice(name), notes, 6 * SAMPLE_RATE)
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() < 0.6
    assert not audio[: STARTS[0] * TICK].any()
    for start, pitch in zip(STARTS, pitches(name), strict=True):
        alone = play(voice(name), [Note(start, start + 120, pitch)], 6 * SAMPLE_RATE)
        level = np.abs(alone).max(axis=1)
        early = level[: start * TICK + SAMPLE_RATE // 10].max()
        late = int(np.argmax(level > 0.02 * early)) - start * TICK
        assert 0 <= late <= SAMPLE_RATE * (0.006 if name in SLOW else 0.001)


@pytest.mark.parametrize("name", sorted(set(SYNTHS) - {"drum machine", "fm bells"}))
def test_a_sound_is_in_tune(name):
    audio = play(voice(name), [Note(0, 400, 60)], 2 * SAMPLE_RATE).sum(axis=1)
    piece = audio[4800 : 4800 + 65536] * np.hanning(65536)
    spectrum, hertz = (
        np.abs(np.fft.rfft(piece, 4 * 65536)),
        np.fft.rfftfreq(4 * 65536, 1 / SAMPLE_RATE),
    )
    middle_c = 440 * 2 ** (-9 / 12)
    near = np.abs(np.log2(hertz[1:] / middle_c)) < 1 / 12
    heard = hertz[1:][near][np.argmax(spectrum[1:][near])]
    assert abs(1200 * np.log2(heard / middle_c)) < 10
    assert spectrum[1:][near].max() > 0.1 * spectrum.max()


@pytest.mark.parametrize("name", SYNTHS)
def test_velocity_changes_the_level(name):
    pitch = pitches(name)[1]
    notes = [Note(0, 200, pitch, 40), Note(800, 1000, pitch, 96)]
    audio = np.abs(play(voice(name), notes, 7 * SAMPLE_RATE))
    ratio = audio[: 700 * TICK].max() / audio[800 * TICK :].max()
    assert 0.1 < ratio < 0.45


def test_low_notes_stand_left_of_high_ones_where_asked():
    name = "fm electric piano"
    low, high = (play(voice(name), [Note(0, 200, p)], SAMPLE_RATE, 1.0) for p in (36, 90))
    for audio, louder in ((low, 0), (high, 1)):
        energy = np.square(audio).sum(axis=0)
        assert energy[louder] > 1.5 * energy[1 - louder]


def test_stereo_levels_tell_pan_and_width():
    rng = np.random.default_rng(1)
    matrix = region_matrix(np.geomspace(1, 700, 384), 1025, 16)
    assert (matrix.sum(axis=0) >= 2).all()
    assert (matrix.sum(axis=1) <= 1).all()
    left = (rng.standard_normal((5, 1025)) + 1j * rng.standard_normal((5, 1025))) * 0.1
    for gain, pan in ((1.0, 0.5), (0.5, 0.5 + 6.02 / 36), (2.0, 0.5 - 6.02 / 36), (0.0, 1.0)):
        levels = stereo_levels((left + gain * left) / 2, (left - gain * left) / 2, matrix)
        assert levels[..., 0] == pytest.approx(pan, abs=0.01)
    same = stereo_levels(left, np.zeros_like(left), matrix)
    assert same[..., 1] == pytest.approx(0, abs=0.01)
    assert stereo_levels(left * 0, left * 0, matrix)[..., 0] == pytest.approx(0.5)


def test_conditioning_is_right_from_the_default_guidance_on():
    for trusted in ((3.0, 1.0, 1.0), (7.0, 7.0, 7.0)):
        bins = np.round((np.array(trusted) - guide.LOW) / guide.STEPS).astype(int)
        assert (guide.doubt(bins) == 0).all()
    assert (guide.doubt(np.zeros(3, int)) == guide.MOST_DOUBT).all()
    chances = [guide.doubt(np.array([n, n // 2, n // 10]))[0] for n in range(21)]
    assert chances == sorted(chances, reverse=True)


def test_misplayed_notes_are_other_notes():
    rng = np.random.default_rng(4)
    played = np.zeros((FRAMES, 128), np.int64)
    played[10:20, 60], played[10, 64] = 1, 5
    others = np.zeros_like(played)
    others[:, 40] = 1
    for _ in range(20):
        told = played.copy()
        guide.misplay(rng, told, others)
        assert told.shape == played.shape
        assert told.max() <= 5
