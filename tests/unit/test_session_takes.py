# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes: what was played comes back as sound and notes that lie on each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from support.clicks import sharp_clicks

from bandmate.models.interface import FrameSpec
from bandmate.session.events import Event, EventKind
from bandmate.session.midi import read_midi
from bandmate.session.takes import recorder as module
from bandmate.session.takes.notes import TakeError
from bandmate.session.takes.recorder import TakeRecorder

F = 1920
RATE = 48000
D = 300
SPEC = FrameSpec(RATE, F, 2, D)


@pytest.fixture
def writer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def click(at: int) -> np.ndarray:
    """A frame's worth of sound [F, 2] with one loud sample, or silence for at < 0."""
    frame = np.zeros((F, 2), np.float32)
    if at >= 0:
        frame[at] = 0.5
    return frame


def strike(take: TakeRecorder, time: int, pitch: int, length: int) -> None:
    take.event(Event(time, EventKind.NOTE_ON, 0, pitch, 90))
    take.event(Event(time + length, EventKind.NOTE_OFF, 0, pitch))


def save(take: TakeRecorder, path: Path, seconds: float = 600.0) -> np.ndarray:
    """The sound of the file [samples, 2]."""
    assert take.save(take.snapshot(), path, seconds, threading.Event()) is not None
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def play_epoch(take: TakeRecorder, frames: int, at: int) -> None:
    """A note at sample `at` of the epoch, heard D samples later in the model's output."""
    take.begin_epoch()
    strike(take, at, 60, 3000)
    for k in range(frames):
        take.frame(k, click(at + D - k * F if k * F <= at + D < (k + 1) * F else -1))


def test_sound_and_notes_lie_on_each_other_over_epochs(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    play_epoch(take, 10, 5000)
    play_epoch(take, 7, 77)
    audio = save(take, tmp_path / "take.wav")
    clip = read_midi(tmp_path / "take.mid", RATE)
    struck = [event.time for event in clip.events if event.kind is EventKind.NOTE_ON]
    assert struck == [5000, 10 * F - D + 77]
    assert list(np.flatnonzero(audio[:, 0] > 0.4)) == struck
    assert sharp_clicks(audio[:, 0]) == struck
    assert len(audio) == 17 * F - 2 * D


def test_frames_that_were_left_out_are_silence_at_their_place(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    take.begin_epoch()
    for k in (0, 1, 5, 6):
        take.frame(k, click(D))
    audio = save(take, tmp_path / "take.wav")
    assert list(np.flatnonzero(audio[:, 0] > 0.4)) == [0, F, 5 * F, 6 * F]


def test_only_the_last_minutes_are_kept_and_files_go(tmp_path, writer, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_KEPT", 10.0)
    monkeypatch.setattr(module, "CHUNK_SECONDS", 1.0)
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    take.begin_epoch()
    strike(take, 0, 40, 100)
    for k in range(40 * 25):
        if k == 39 * 25:
            strike(take, k * F, 60, 100)
        take.frame(k, click(0))
    audio = save(take, tmp_path / "take.wav")
    assert 10 * RATE <= len(audio) <= 12 * RATE
    clip = read_midi(tmp_path / "take.mid", RATE)
    assert [e.number for e in clip.events if e.kind is EventKind.NOTE_ON] == [60]
    assert len(list((tmp_path / "kept").iterdir())) <= 12
    assert len(save(take, tmp_path / "short.wav", 2.0)) == 2 * RATE
    take.close()
    writer.submit(lambda: None).result()
    assert not list((tmp_path / "kept").iterdir())


def test_silence_costs_no_disk_and_nothing_played_is_said(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    take.begin_epoch()
    for k in range(300):
        take.frame(k, click(-1))
    with pytest.raises(TakeError, match="Nothing has been played"):
        save(take, tmp_path / "take.wav")
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "take.wav").exists()


def test_notes_lie_on_the_hosts_beats(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    take.begin_epoch()
    take.tempo(0, 90.0)
    beat = RATE * 60 // 90
    strike(take, 2 * beat, 60, beat // 2)
    take.tempo(4 * beat, 180.0)
    strike(take, 5 * beat, 62, 100)
    for k in range(140):
        take.frame(k, click(0))
    save(take, tmp_path / "take.wav")
    ticks, beats = 0, []
    file = mido.MidiFile(tmp_path / "take.mid")
    for message in file.tracks[0]:
        ticks += message.time
        if message.type == "note_on":
            beats.append(ticks / file.ticks_per_beat)
    assert np.allclose(beats, [2.0, 6.0], atol=1e-3)  # 4 slow beats and 2 quick ones


def test_held_and_hanging_notes_end(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    take.begin_epoch()
    for time, kind, pitch in (
        (0, EventKind.NOTE_ON, 60),
        (10, EventKind.NOTE_ON, 62),
        (3000, EventKind.ALL_NOTES_OFF, 0),
        (4000, EventKind.NOTE_ON, 64),
    ):
        take.event(Event(time, kind, 0, pitch, 100))
    for k in range(5):
        take.frame(k, click(0))
    take.begin_epoch()
    take.event(Event(50, EventKind.NOTE_ON, 0, 65, 100))
    for k in range(5):
        take.frame(k, click(0))
    save(take, tmp_path / "take.wav")
    clip = read_midi(tmp_path / "take.mid", RATE)
    ends = {e.number: e.time for e in clip.events if e.kind is EventKind.NOTE_OFF}
    end = 5 * F - D
    assert ends == {60: 3000, 62: 3000, 64: end, 65: 2 * end}


def test_giving_up_leaves_nothing(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    play_epoch(take, 10, 5000)
    given_up = threading.Event()
    given_up.set()
    assert take.save(take.snapshot(), tmp_path / "take.wav", 600.0, given_up) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


def test_a_place_that_cannot_be_written_is_named(tmp_path, writer):
    take = TakeRecorder(SPEC, tmp_path / "kept", writer)
    play_epoch(take, 10, 5000)
    missing = tmp_path / "nowhere" / "take.wav"
    with pytest.raises(Exception, match="nowhere"):
        save(take, missing)
