# SPDX-License-Identifier: GPL-3.0-or-later
"""The note tracker: the published state table, and what Bandmate adds to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bandmate.models.interface import (
    NOTE_EITHER,
    NOTE_MASKED,
    NOTE_OFF,
    NOTE_ONSET,
    NOTE_ONSET_PHASE_0,
    NOTE_SUSTAIN,
)
from bandmate.models.note_history import NoteHistory
from bandmate.session.notes import (
    CC_ALL_NOTES_OFF,
    CC_ALL_SOUND_OFF,
    CC_RESET_CONTROLLERS,
    CC_SUSTAIN,
    REST_FRAMES,
    NoteTracker,
)

F = 1920
TRACES = json.loads((Path(__file__).parent / "data" / "note_tracker.json").read_text())["cases"]


def values(tracker: NoteTracker, *, strum: bool = False, width: int = 127) -> np.ndarray:
    return tracker.frame(strum=strum, unmask_width=width)[0]


def unpack(runs: list[list[int]]) -> list[int]:
    return [value for value, count in runs for _ in range(count)]


@pytest.mark.parametrize("case", TRACES, ids=[case["name"] for case in TRACES])
def test_reference_traces(case):
    """Traces recorded from the reference tracker of the official runtime."""
    tracker = NoteTracker(F)
    settings = {"onset": 0, "width": 0}
    frames = iter(case["frames"])
    for name, *argument in case["events"]:
        if name == "on":
            tracker.note_on(0, argument[0], 100, 0)
        elif name == "off":
            tracker.note_off(0, argument[0], 0)
        elif name in settings:
            settings[name] = argument[0]
        elif name == "frame":
            got = values(tracker, strum=settings["onset"] == 0, width=settings["width"])
            assert got.tolist() == unpack(next(frames)["notes_rle"])
    assert next(frames, None) is None


def test_onset_phase_is_the_part_of_the_frame():
    tracker = NoteTracker(F, onset_phases=4)
    for pitch, offset in ((60, 0), (61, 479), (62, 480), (63, 1919)):
        tracker.note_on(0, pitch, 100, offset)
    assert values(tracker)[60:64].tolist() == [NOTE_ONSET_PHASE_0 + p for p in (0, 0, 1, 3)]
    assert values(tracker)[60:64].tolist() == [NOTE_SUSTAIN] * 4


def test_early_onsets_begin_with_the_frame():
    """A player who would rather hear a note soon than at its own place gets phase 0."""
    tracker = NoteTracker(F, onset_phases=4)
    tracker.note_on(0, 60, 100, F - 1)
    values, _ = tracker.frame(strum=False, unmask_width=127, early=True)
    assert values[60] == NOTE_ONSET_PHASE_0
    tracker.note_on(0, 62, 100, F - 1)
    values, _ = tracker.frame(strum=False, unmask_width=127, early=False)
    assert values[62] == NOTE_ONSET_PHASE_0 + 3


def test_strum_hides_phases():
    tracker = NoteTracker(F, onset_phases=4)
    tracker.note_on(0, 60, 100, 900)
    assert values(tracker, strum=True)[60] == NOTE_EITHER


def test_first_of_several_onsets_gives_the_phase():
    tracker = NoteTracker(F, onset_phases=4)
    tracker.note_on(0, 60, 100, 100)
    tracker.note_off(0, 60, 200)
    tracker.note_on(0, 60, 100, 1900)
    found, events = tracker.frame(strum=False, unmask_width=127)
    assert found[60] == NOTE_ONSET_PHASE_0
    assert [(e.offset_samples, e.velocity) for e in events] == [(100, 100), (200, 0), (1900, 100)]


def test_onset_after_sustain_takes_its_own_phase():
    tracker = NoteTracker(F, onset_phases=4)
    tracker.note_on(0, 60, 100, 100)
    values(tracker)
    tracker.note_on(0, 60, 100, 1900)
    assert values(tracker)[60] == NOTE_ONSET_PHASE_0 + 3


def test_tap_shorter_than_a_frame_is_one_onset():
    tracker = NoteTracker(F)
    tracker.note_on(0, 60, 1, 10)
    tracker.note_off(0, 60, 11)
    assert not tracker.sounding
    assert values(tracker)[60] == NOTE_ONSET
    assert values(tracker)[60] == NOTE_OFF


def test_velocity_0_is_note_off():
    tracker = NoteTracker(F)
    tracker.note_on(0, 60, 100, 0)
    values(tracker)
    tracker.note_on(0, 60, 0, 0)
    assert values(tracker)[60] == NOTE_OFF


def test_channels_hold_a_pitch_together():
    tracker = NoteTracker(F)
    tracker.note_on(0, 60, 100, 0)
    tracker.note_on(1, 60, 100, 0)
    values(tracker)
    tracker.note_off(0, 60, 0)
    tracker.note_off(0, 60, 0)  # twice: must not release the other channel's
    assert values(tracker)[60] == NOTE_SUSTAIN
    tracker.note_off(1, 60, 5)
    found, events = tracker.frame(strum=False, unmask_width=127)
    assert found[60] == NOTE_OFF
    assert [(e.offset_samples, e.velocity) for e in events] == [(5, 0)]


def test_doubled_note_on_cannot_stick():
    tracker = NoteTracker(F)
    for _ in range(3):
        tracker.note_on(0, 60, 100, 0)
    tracker.note_off(0, 60, 0)
    values(tracker)
    assert values(tracker)[60] == NOTE_OFF


def test_pedal_holds_until_it_goes_up():
    tracker = NoteTracker(F)
    tracker.control(0, CC_SUSTAIN, 127, 0)
    tracker.note_on(0, 60, 100, 0)
    tracker.note_on(1, 72, 100, 0)  # another channel: not under this pedal
    tracker.note_off(0, 60, 100)
    tracker.note_off(1, 72, 100)
    values(tracker)
    assert tracker.sounding
    assert values(tracker)[[60, 72]].tolist() == [NOTE_SUSTAIN, NOTE_OFF]
    tracker.control(0, CC_SUSTAIN, 63, 40)
    assert not tracker.sounding
    found, events = tracker.frame(strum=False, unmask_width=127)
    assert found[60] == NOTE_OFF
    assert [(e.offset_samples, e.pitch, e.velocity) for e in events] == [(40, 60, 0)]


def test_key_struck_again_under_the_pedal_is_an_onset_and_stays_after_it():
    tracker = NoteTracker(F)
    tracker.control(0, CC_SUSTAIN, 127, 0)
    tracker.note_on(0, 60, 100, 0)
    tracker.note_off(0, 60, 1)
    values(tracker)
    tracker.note_on(0, 60, 100, 0)
    assert values(tracker)[60] == NOTE_ONSET
    tracker.control(0, CC_SUSTAIN, 0, 0)
    assert values(tracker)[60] == NOTE_SUSTAIN  # the key still holds it


@pytest.mark.parametrize("controller", [CC_ALL_SOUND_OFF, CC_ALL_NOTES_OFF, 124, 127])
def test_mode_messages_release_keys_and_pedal_of_their_channel(controller):
    tracker = NoteTracker(F)
    tracker.control(0, CC_SUSTAIN, 127, 0)
    tracker.note_on(0, 60, 100, 0)
    tracker.note_on(0, 64, 100, 0)
    tracker.note_off(0, 64, 0)
    tracker.note_on(1, 67, 100, 0)
    values(tracker)
    tracker.control(0, controller, 0, 0)
    assert values(tracker)[[60, 64, 67]].tolist() == [NOTE_OFF, NOTE_OFF, NOTE_SUSTAIN]
    tracker.note_on(0, 60, 100, 0)
    tracker.note_off(0, 60, 0)  # the pedal must be up by now
    values(tracker)
    assert values(tracker)[60] == NOTE_OFF


def test_reset_controllers_lifts_the_pedal_only():
    tracker = NoteTracker(F)
    tracker.control(0, CC_SUSTAIN, 127, 0)
    tracker.note_on(0, 60, 100, 0)
    tracker.note_on(0, 64, 100, 0)
    tracker.note_off(0, 64, 0)
    values(tracker)
    tracker.control(0, CC_RESET_CONTROLLERS, 0, 0)
    assert values(tracker)[[60, 64]].tolist() == [NOTE_SUSTAIN, NOTE_OFF]


def test_all_notes_off_reaches_every_channel():
    tracker = NoteTracker(F)
    for channel in range(16):
        tracker.note_on(channel, 40 + channel, 100, 0)
        tracker.control(channel, CC_SUSTAIN, 127, 0)
    values(tracker)
    tracker.all_notes_off(3)
    found, events = tracker.frame(strum=False, unmask_width=127)
    assert (found == NOTE_OFF).all()
    assert len(events) == 16


def test_random_playing_never_sticks():
    """Whatever was played, releasing each channel's keys and pedals leaves silence."""
    random = np.random.default_rng(7)
    for _ in range(50):
        tracker = NoteTracker(F)
        for _ in range(200):
            channel, pitch = int(random.integers(16)), int(random.integers(50, 60))
            action = random.integers(5)
            if action == 0:
                tracker.note_off(channel, pitch, 0)
            elif action == 1:
                tracker.control(channel, CC_SUSTAIN, int(random.integers(128)), 0)
            elif action == 2:
                values(tracker)
            else:
                tracker.note_on(channel, pitch, 100, 0)
        for channel in range(16):
            tracker.control(channel, CC_SUSTAIN, 0, 0)
            for pitch in range(50, 60):
                tracker.note_off(channel, pitch, 0)
        assert not tracker.sounding
        values(tracker)
        assert (values(tracker) == NOTE_OFF).all()


def test_width_masks_far_pitches():
    tracker = NoteTracker(F)
    tracker.note_on(0, 1, 100, 0)
    found = values(tracker, width=2)
    assert found[:5].tolist() == [NOTE_OFF, NOTE_ONSET, NOTE_OFF, NOTE_OFF, NOTE_MASKED]
    assert (found[4:] == NOTE_MASKED).all()


def test_outside_midi_is_ignored():
    tracker = NoteTracker(F)
    tracker.note_on(0, 128, 100, 0)
    tracker.note_on(0, -1, 100, 0)
    tracker.note_on(16, 60, 100, 0)
    tracker.control(99, CC_SUSTAIN, 127, 0)
    assert not tracker.sounding
    assert tracker.frame(strum=False, unmask_width=127)[1] == ()


def test_a_harder_stroke_is_another_value_at_the_same_phase():
    tracker = NoteTracker(F, onset_phases=4, velocity_levels=8)
    for pitch, velocity in ((60, 1), (61, 15), (62, 16), (63, 127), (64, 200)):
        tracker.note_on(0, pitch, velocity, 480)
    expected = [NOTE_ONSET_PHASE_0 + 4 * level + 1 for level in (0, 0, 1, 7, 7)]
    assert values(tracker)[60:65].tolist() == expected
    assert values(tracker)[60:65].tolist() == [NOTE_SUSTAIN] * 5


def test_what_begins_or_ends_makes_a_frame_new_and_an_onset_the_next_one_too():
    tracker = NoteTracker(F)

    def anew() -> bool:
        values(tracker)
        return tracker.anew

    assert not anew()
    tracker.note_on(0, 60, 100, 5)
    assert [anew() for _ in range(4)] == [True, True, False, False]
    tracker.note_off(0, 60, 0)
    assert [anew(), anew()] == [True, False]
    tracker.note_on(0, 60, 100, 5)
    anew()
    tracker.note_off(0, 60, 0)
    tracker.note_on(0, 60, 100, 9)  # struck again: the same pitch, another note
    assert [anew() for _ in range(3)] == [True, True, False]


def test_a_frame_rests_when_nothing_has_sounded_for_a_while_and_every_pitch_is_told():
    tracker = NoteTracker(F, history=NoteHistory(first=4, held=4, released=6))

    def rests(width: int = 127) -> bool:
        values(tracker, width=width)
        return tracker.rests

    assert rests()
    assert not rests(width=12)  # there the model may play what it likes
    tracker.note_on(0, 60, 100, 0)
    assert not rests()
    assert not rests()
    tracker.note_off(0, 60, 0)
    dying = [rests() for _ in range(REST_FRAMES + 2)]
    assert dying == [False] * (REST_FRAMES - 1) + [True] * 3
    tracker.note_on(0, 60, 100, 0)
    assert not rests()
