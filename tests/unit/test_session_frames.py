# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: events to conditioning, frame by frame; the gate; styles; MIDI files."""

from __future__ import annotations

import contextlib

import mido
import numpy as np
import pytest
from support.styles import RoundingEncoder, styled_bundle

from bandmate.models.interface import DRUMS_MASKED, DRUMS_OFF, NOTE_OFF, NOTE_ONSET_PHASE_0
from bandmate.models.registry import find_bundle
from bandmate.session.events import Event, EventKind
from bandmate.session.gate import MidiGate
from bandmate.session.midi import MidiFileError, read_midi
from bandmate.session.parameters import Parameter
from bandmate.session.session import Session
from bandmate.session.style import StyleSlots

TESTTONE = find_bundle("testtone")
F = TESTTONE.frame.frame_samples
RATE = TESTTONE.frame.sample_rate
STYLED = styled_bundle()


def note_on(time: int, pitch: int = 60) -> Event:
    return Event(time, EventKind.NOTE_ON, 0, pitch, 100)


def note_off(time: int, pitch: int = 60) -> Event:
    return Event(time, EventKind.NOTE_OFF, 0, pitch)


def parameter(time: int, which: Parameter, value: float) -> Event:
    return Event(time, EventKind.PARAMETER, 0, which, value)


def step(session: Session):
    """One frame of a model that is nothing but full level."""
    controls = session.controls()
    return controls, session.finish(np.ones((F, 2), np.float32), "state")


def test_a_frame_takes_exactly_the_events_before_its_end():
    session = Session(TESTTONE, None)
    for time in (0, F - 1, F, 2 * F - 1, 2 * F):
        session.push(note_on(time, 60 + time % 7))
    offsets = []
    for _ in range(3):
        controls, _ = step(session)
        offsets.append([note.offset_samples for note in controls.events])
    assert offsets == [[0, F - 1], [0, F - 1], [0]]


def test_events_pushed_out_of_order_are_played_in_order():
    session = Session(TESTTONE, None)
    for time in (500, 100, 300):
        session.push(note_on(time, 60 + time // 100))
    controls, _ = step(session)
    assert [note.offset_samples for note in controls.events] == [100, 300, 500]


def test_events_of_one_moment_keep_their_order():
    session = Session(TESTTONE, None)
    for event in (note_on(10), note_off(10), note_on(10)):
        session.push(event)
    controls, _ = step(session)
    assert [note.velocity for note in controls.events] == [100, 0, 100]


def test_defaults_and_parameters_reach_the_model():
    session = Session(STYLED, RoundingEncoder(), seed=7)
    controls, _ = step(session)
    assert (controls.temperature, controls.top_k, controls.guidance) == (0.7, 9, (1.0, 2.0, 3.0))
    assert (controls.drums, controls.seed, controls.frame_index) == (DRUMS_MASKED, 7, 0)
    for which, value in (
        (Parameter.TEMPERATURE, 1.5),
        (Parameter.TOP_K, 3),
        (Parameter.GUIDANCE_NOTES, 5.0),
        (Parameter.DRUMS, 0),
        (Parameter.UNMASK_WIDTH, 127),
        (Parameter.SEED, 99),
    ):
        session.push(parameter(2 * F - 1, which, value))
    controls, _ = step(session)
    assert (controls.temperature, controls.top_k, controls.guidance) == (1.5, 3, (1.0, 5.0, 3.0))
    assert controls.drums == DRUMS_OFF
    assert (controls.notes == NOTE_OFF).all()
    assert controls.seed == 7  # a seed takes force with an epoch
    assert controls.frame_index == 1


def test_onset_phase_comes_from_the_bundle():
    session = Session(STYLED, RoundingEncoder())
    session.push(note_on(F + F // 2))
    step(session)
    controls, _ = step(session)
    assert controls.notes[60] == NOTE_ONSET_PHASE_0 + 2


def test_epoch_starts_anew_but_keeps_parameters_and_styles():
    encoder = RoundingEncoder()
    session = Session(STYLED, encoder, seed=1)
    session.styles.replace({0: encoder.encode_text("abc")})
    session.push(parameter(0, Parameter.TEMPERATURE, 2.0))
    session.push(note_on(0))
    session.push(note_on(5 * F))
    step(session)
    assert session.state == "state"
    session.begin_epoch(5)
    assert session.state is None
    controls, _ = step(session)
    assert controls.frame_index == 0
    assert controls.seed == 5
    assert controls.temperature == 2.0
    assert controls.style.tolist() == [3, 3, 3, 3]
    assert controls.events == ()
    for _ in range(6):
        controls, _ = step(session)
        assert controls.events == ()


def test_same_events_give_the_same_frames_however_they_arrive():
    events = [note_on(t, 40 + t % 50) for t in range(0, 20 * F, 777)]
    events += [note_off(t + 400, 40 + t % 50) for t in range(0, 20 * F, 777)]
    events.sort(key=lambda e: e.time)
    at_once, by_block = Session(STYLED, RoundingEncoder()), Session(STYLED, RoundingEncoder())
    for session in (at_once, by_block):
        session.push(parameter(0, Parameter.MIDI_GATE, 1))
    for event in events:
        at_once.push(event)
    left = list(events)
    for k in range(20):
        while left and left[0].time < (k + 1) * F:
            by_block.push(left.pop(0))
        (a, sound_a), (b, sound_b) = step(at_once), step(by_block)
        assert a.events == b.events
        np.testing.assert_array_equal(a.notes, b.notes)
        np.testing.assert_array_equal(sound_a, sound_b)


# Styles.


def test_blend_is_weighted_in_embedding_space():
    encoder = RoundingEncoder()
    slots = StyleSlots(encoder, 4)
    slots.replace({0: np.full(4, 2, np.float32), 3: np.full(4, 8, np.float32)})
    assert slots.codes((1, 0, 0, 1, 0, 0)).tolist() == [5] * 4
    assert slots.codes((0.1, 1, 0, 0.3, 0, 0)).tolist() == [6] * 4  # 6.5 rounds to even
    assert slots.codes((0, 0, 0, 0.2, 0, 0)).tolist() == [8] * 4


def test_blend_is_only_computed_after_a_change():
    encoder = RoundingEncoder()
    slots = StyleSlots(encoder, 4)
    slots.replace({0: np.ones(4, np.float32)})
    for _ in range(3):
        slots.codes((1, 0, 0, 0, 0, 0))
    assert encoder.calls == 1
    slots.codes((0.5, 0, 0, 0, 0, 0))  # of one prompt alone, whatever it weighs
    assert encoder.calls == 1
    slots.replace({0: np.zeros(4, np.float32)})
    assert slots.codes((0.5, 0, 0, 0, 0, 0)).tolist() == [0] * 4
    assert encoder.calls == 2


def test_a_blend_tells_its_prompts_and_what_each_weighs():
    encoder = RoundingEncoder()
    slots = StyleSlots(encoder, 4)
    slots.replace({s: np.full(4, s, np.float32) for s in (0, 2, 5)} | {3: np.full(4, 9, np.int32)})
    for sixths in range(1, 6):
        weights = (sixths / 6, 0, 0, 1, 0, 1 - sixths / 6)
        first, second = slots.shares(weights)
        assert (first.slot, second.slot) == (0, 5), "style codes cannot be blended"
        assert first.codes.tolist(), second.codes.tolist() == ([0] * 4, [5] * 4)
        assert (first.weight, second.weight) == pytest.approx((sixths / 6, 1 - sixths / 6))
        slots.codes(weights)
    assert encoder.calls == 2 + 5, "two prompts once, and each blend"
    assert [share.slot for share in slots.shares((0,) * 6)] == [0]
    assert StyleSlots(encoder, 4).shares((1,) * 6) == ()


def test_all_weights_zero_takes_the_first_filled_slot_and_no_slot_is_free():
    slots = StyleSlots(RoundingEncoder(), 4)
    assert slots.codes((1, 0, 0, 0, 0, 0)).tolist() == [-1] * 4
    slots.replace({2: np.full(4, 4, np.float32), 5: np.full(4, 6, np.float32)})
    assert slots.codes((0,) * 6).tolist() == [4] * 4
    assert StyleSlots(None, 0).codes((1,) * 6).shape == (0,)


# The gate.


def test_gate_is_silent_until_the_note_and_opens_at_its_sample():
    session = Session(TESTTONE, None)
    session.push(parameter(0, Parameter.MIDI_GATE, 1))
    session.push(note_on(F + 100))
    sound = np.concatenate([step(session)[1] for _ in range(3)])[:, 0]
    assert not sound[: F + 100].any()
    assert sound[F + 100] > 0.0
    assert (np.diff(sound[F + 100 :]) >= 0).all()
    assert sound[F + 100 + round(0.005 * RATE) - 1] == pytest.approx(0.99, abs=1e-3)
    assert sound[-1] == 1.0


def test_gate_closes_to_exact_silence():
    session = Session(TESTTONE, None)
    session.push(parameter(0, Parameter.MIDI_GATE, 1))
    session.push(note_on(0))
    session.push(note_off(4 * F))
    sound = np.concatenate([step(session)[1] for _ in range(60)])[:, 0]
    assert sound[4 * F - 1] == 1.0
    assert sound[4 * F] < 1.0
    assert sound[4 * F + RATE // 2 - 1] == pytest.approx(0.01, abs=1e-3)
    assert not sound[4 * F + RATE + RATE // 10 :].any()


def test_gate_off_leaves_the_sound_alone():
    session = Session(TESTTONE, None)
    session.push(note_on(5))
    session.push(note_off(50))
    assert (step(session)[1] == 1.0).all()


def test_gate_follows_the_models_delay():
    """The gate moves with the sound: D samples after the event."""
    delay = 2500
    now, late = MidiGate(RATE, F, 0), MidiGate(RATE, F, delay)
    curves = []
    for gate in (now, late):
        gate.start(enabled=True)
        frames = []
        for k in range(6):
            if k == 1:
                gate.move(7, enabled=True, sounding=True)
            if k == 3:
                gate.move(9, enabled=True, sounding=False)
            frames.append(gate.frame())
        curves.append(np.concatenate(frames))
    assert not curves[1][:delay].any()
    np.testing.assert_array_equal(curves[1][delay:], curves[0][:-delay])


# MIDI files.


def save(tmp_path, file: mido.MidiFile):
    path = tmp_path / "clip.mid"
    file.save(path)
    return path


def test_tempo_changes_are_exact_over_a_long_file(tmp_path):
    file = mido.MidiFile(ticks_per_beat=96)
    tempo, notes = mido.MidiTrack(), mido.MidiTrack()
    file.tracks += [tempo, notes]
    tempo.append(mido.MetaMessage("set_tempo", tempo=500_003, time=0))
    tempo.append(mido.MetaMessage("set_tempo", tempo=333_331, time=96 * 1000))
    for _ in range(2000):
        notes.append(mido.Message("note_on", note=60, velocity=64, time=48))
        notes.append(mido.Message("note_off", note=60, time=48))
    clip = read_midi(save(tmp_path, file), RATE)
    onsets = [e.time for e in clip.events if e.kind is EventKind.NOTE_ON]
    assert clip.note_count == len(onsets) == 2000
    for i in (0, 1, 999, 1000, 1999):
        beats = i + 0.5
        seconds = min(beats, 1000) * 0.500003 + max(0.0, beats - 1000) * 0.333331
        assert onsets[i] == round(seconds * RATE)


def test_channels_controllers_and_velocity_0(tmp_path):
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.Message("program_change", channel=3, program=4))
    track.append(mido.Message("control_change", channel=3, control=64, value=127, time=480))
    track.append(mido.Message("note_on", channel=3, note=50, velocity=1))
    track.append(mido.Message("note_on", channel=3, note=50, velocity=0, time=480))
    clip = read_midi(save(tmp_path, file), RATE)
    assert clip.events == (
        Event(RATE // 2, EventKind.CONTROL, 3, 64, 127),
        Event(RATE // 2, EventKind.NOTE_ON, 3, 50, 1),
        Event(RATE, EventKind.NOTE_OFF, 3, 50),
    )


def test_end_of_track_counts_for_the_length(tmp_path):
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("end_of_track", time=960))
    assert read_midi(save(tmp_path, file), RATE).length_samples == RATE


@pytest.mark.parametrize(
    "content",
    [b"", b"not midi", b"MThd", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x10\0\x90"],
    ids=["empty", "text", "header cut", "track cut"],
)
def test_broken_files_say_so_in_one_line(tmp_path, content):
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    with pytest.raises(MidiFileError) as error:
        read_midi(path, RATE)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file_and_type_2(tmp_path):
    with pytest.raises(MidiFileError, match="No such file"):
        read_midi(tmp_path / "none.mid", RATE)
    file = mido.MidiFile(type=2)
    file.tracks.append(mido.MidiTrack())
    with pytest.raises(MidiFileError, match="type 2"):
        read_midi(save(tmp_path, file), RATE)


def test_random_bytes_never_raise_anything_else(tmp_path):
    random = np.random.default_rng(3)
    head = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk"
    path = tmp_path / "random.mid"
    for _ in range(300):
        body = random.integers(0, 256, int(random.integers(0, 80)), dtype=np.uint8).tobytes()
        path.write_bytes(head + len(body).to_bytes(4, "big") + body)
        with contextlib.suppress(MidiFileError):
            read_midi(path, RATE)
