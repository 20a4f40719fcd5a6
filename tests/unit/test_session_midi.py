# SPDX-License-Identifier: GPL-3.0-or-later
"""Pitch bend, MPE, the modulation wheel; and no MIDI whatever leaves a note behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.styles import RoundingEncoder, styled_bundle

from bandmate.models.interface import NOTE_ONSET, NOTE_SUSTAIN
from bandmate.session.events import Event, EventKind
from bandmate.session.session import Session

BUNDLE = styled_bundle()
PLAIN = replace(BUNDLE, conditioning=replace(BUNDLE.conditioning, onset_phases=0))
F = BUNDLE.frame.frame_samples


class Player:
    """A session that is told one thing a frame."""

    def __init__(self) -> None:
        self.session = Session(PLAIN, RoundingEncoder())

    def frame(self, *told: tuple) -> np.ndarray:
        """Note values [128] after (kind, channel, number, value) at the frame's begin."""
        begin = self.session.frame_index * F
        for kind, channel, number, value in told:
            self.session.push(Event(begin, kind, channel, number, value))
        controls = self.session.controls()
        self.session.finish(np.zeros((F, 2), np.float32), None)
        self.controls = controls
        return controls.notes

    def sounding(self, *told: tuple) -> dict[int, int]:
        """Pitches that sound, with their values."""
        notes = self.frame(*told)
        return {int(p): int(notes[p]) for p in np.flatnonzero(notes > 0)}


def on(pitch: int, channel: int = 0, velocity: int = 90) -> tuple:
    return (EventKind.NOTE_ON, channel, pitch, velocity)


def off(pitch: int, channel: int = 0) -> tuple:
    return (EventKind.NOTE_OFF, channel, pitch, 0)


def bend(value: float, channel: int = 0) -> tuple:
    return (EventKind.PITCH_BEND, channel, 0, value)


def control(number: int, value: int, channel: int = 0) -> tuple:
    return (EventKind.CONTROL, channel, number, value)


def test_a_bent_note_glides_by_semitones_and_comes_back():
    player = Player()
    assert player.sounding(on(60)) == {60: NOTE_ONSET}
    assert player.sounding(bend(0.2)) == {60: NOTE_SUSTAIN}
    assert player.sounding(bend(0.5)) == {61: NOTE_ONSET}
    assert player.sounding(bend(0.55)) == {61: NOTE_SUSTAIN}
    assert player.sounding(bend(1.0)) == {62: NOTE_ONSET}
    assert player.controls.events[-1].velocity == 90
    assert player.sounding(bend(0.0)) == {60: NOTE_ONSET}
    assert player.sounding(bend(-1.0), on(70)) == {58: NOTE_ONSET, 68: NOTE_ONSET}
    assert player.sounding(off(60)) == {68: NOTE_SUSTAIN}
    assert player.sounding(off(70)) == {}


def test_a_range_is_set_by_its_registered_parameter():
    player = Player()
    player.frame(control(101, 0), control(100, 0), control(6, 12), on(60))
    assert player.sounding(bend(1.0)) == {72: NOTE_ONSET}
    # A new epoch tells what is in force; what it does not tell is as in a new session.
    player.session.begin_epoch(0)
    player.frame(on(60))
    assert player.sounding(bend(1.0)) == {62: NOTE_ONSET}


def test_mpe_channels_are_merged_and_bend_their_own_notes():
    player = Player()
    player.frame(control(101, 0), control(100, 6), control(6, 15))
    assert set(player.sounding(on(60, 1), on(64, 2))) == {60, 64}
    assert set(player.sounding(bend(2 / 48, 1))) == {62, 64}
    assert set(player.sounding(off(60, 1))) == {64}
    assert player.sounding(off(64, 2)) == {}


def test_the_wheel_goes_to_the_second_style():
    player = Player()
    session = player.session
    session.styles.replace({0: np.zeros(4, np.float32), 1: np.full(4, 8.0, np.float32)})

    def style(*told: tuple) -> float:
        player.frame(*told)
        return float(player.controls.style[0])

    assert style() == 0
    assert style(control(1, 127)) == 8
    assert style(control(1, 64)) == 4
    assert style(control(121, 0)) == 0
    session.styles.replace({0: np.zeros(4, np.float32)})
    assert style(control(1, 127)) == 0  # nothing there to go to


@pytest.mark.parametrize("number", [120, 123, 124, 127])
def test_all_notes_off_of_a_channel_is_obeyed_pedal_and_bend_too(number):
    player = Player()
    player.frame(control(64, 127), on(60), on(61), on(62, 3), bend(1.0))
    player.frame(off(61))
    assert set(player.sounding(control(number, 0))) == {62}
    assert player.sounding(off(62, 3)) == {}


MIDI = st.one_of(
    st.tuples(
        st.just(EventKind.NOTE_ON), st.integers(0, 3), st.integers(0, 127), st.integers(0, 127)
    ),
    st.tuples(st.just(EventKind.NOTE_OFF), st.integers(0, 3), st.integers(0, 127), st.just(0)),
    st.tuples(
        st.just(EventKind.CONTROL),
        st.integers(0, 3),
        st.sampled_from([1, 6, 64, 100, 101, 120, 121, 123, 127]),
        st.sampled_from([0, 2, 6, 15, 64, 127]),
    ),
    st.tuples(st.just(EventKind.PITCH_BEND), st.integers(0, 3), st.just(0), st.floats(-1, 1)),
    st.tuples(st.just(EventKind.CHANNEL_NOTES_OFF), st.integers(0, 3), st.just(0), st.just(0)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(MIDI, max_size=12), max_size=12), st.booleans())
def test_no_midi_leaves_a_note_behind(frames, panic):
    player = Player()
    keys: set[tuple[int, int]] = set()
    for told in frames:
        player.frame(*told)
        for kind, channel, number, value in told:
            if kind is EventKind.NOTE_ON and value > 0:
                keys.add((channel, number))
    if panic:
        player.frame((EventKind.ALL_NOTES_OFF, 0, 0, 0))
    else:
        # What a player's hands do at the end: all keys up, all pedals up.
        player.frame(*(off(pitch, channel) for channel, pitch in keys))
        player.frame(*(control(64, 0, channel) for channel in range(4)))
    player.frame()
    assert player.sounding() == {}
