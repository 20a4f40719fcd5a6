# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pitch is told after its onset: in training by whole streams, in the server as it goes."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.models.note_history import NoteHistory, ages
from bandmate.session.notes import NoteTracker

F = 1920
HISTORY = NoteHistory(first=68, held=16, released=10, levels=4)
ALL = 127
PITCH = 60


def tracker() -> NoteTracker:
    return NoteTracker(F, onset_phases=8, velocity_levels=8, history=HISTORY)


def values(notes: NoteTracker, frames: int) -> list[int]:
    return [int(notes.frame(strum=False, unmask_width=ALL)[0][PITCH]) for _ in range(frames)]


def test_ages_are_two_an_octave():
    assert ages(10).tolist() == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]


def test_held_note_grows_older_and_keeps_its_velocity():
    notes = tracker()
    notes.note_on(0, PITCH, 127, 0)
    told = values(notes, 9)
    assert told[0] < HISTORY.first
    loudest = HISTORY.first + 3 * HISTORY.held
    assert [v - loudest for v in told[1:]] == [0, 1, 2, 3, 3, 4, 4, 5]


def test_oldest_age_is_for_all_that_are_older():
    notes = tracker()
    notes.note_on(0, PITCH, 1, 0)
    assert values(notes, 900)[-1] == HISTORY.first + HISTORY.held - 1


def test_note_that_has_ended_is_told_for_a_while():
    notes = tracker()
    notes.note_on(0, PITCH, 1, 0)
    values(notes, 3)
    notes.note_off(0, PITCH, 900)
    told = values(notes, 60)
    released = HISTORY.first + HISTORY.held * HISTORY.levels
    assert [v - released for v in told[:5]] == [0, 1, 2, 3, 3]
    assert told[46] - released == HISTORY.released - 1
    assert told[47:] == [0] * 13


def test_tap_is_an_onset_and_then_over():
    notes = tracker()
    notes.note_on(0, PITCH, 1, 0)
    notes.note_off(0, PITCH, 10)
    told = values(notes, 2)
    assert told[0] < HISTORY.first
    assert told[1] == HISTORY.first + HISTORY.held * HISTORY.levels


def test_what_is_left_to_the_model_stays_so():
    notes = tracker()
    for pitch in (PITCH, PITCH + 20):
        notes.note_on(0, pitch, 64, 0)
    notes.frame(strum=False, unmask_width=ALL)
    notes.note_off(0, PITCH, 0)
    told, _ = notes.frame(strum=False, unmask_width=3)
    assert told[PITCH] == -1
    assert told[PITCH + 20] > 0


@pytest.mark.parametrize("seed", range(3))
def test_streams_as_training_sees_them_are_what_the_server_tells(seed):
    rng, frames, pitches = np.random.default_rng(seed), 300, (40, 41, 90)
    notes = tracker()
    sounding, onset, velocity = (np.zeros((frames, 128), int) for _ in range(3))
    heard = np.zeros((frames, 128), np.int64)
    strength = dict.fromkeys(pitches, 0)
    for frame in range(frames):
        for pitch in pitches:
            held, chance = bool(notes._keys[pitch]), rng.random()
            if held and chance < 0.1:
                notes.note_off(0, pitch, 500)
                held = False
            elif not held and chance < 0.06:
                strength[pitch] = int(rng.integers(1, 128))
                notes.note_on(0, pitch, strength[pitch], 700)
                onset[frame, pitch], held = 1, True
                if rng.random() < 0.3:
                    notes.note_off(0, pitch, 1200)
            sounding[frame, pitch] = held
            velocity[frame, pitch] = strength[pitch]
        heard[frame], _ = notes.frame(strum=False, unmask_width=ALL)
    told = HISTORY.told(sounding > 0, onset > 0, velocity)
    assert (onset > 0).sum() > 20
    assert (np.where(onset, 0, heard) == told).all()
