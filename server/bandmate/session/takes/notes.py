# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes of a take, and the MIDI file they become."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import mido

from bandmate.errors import BandmateError
from bandmate.session.events import Event, EventKind

TICKS_PER_BEAT = 24000  # one a sample at 48 kHz and 120 bpm
DEFAULT_TEMPO_BPM = 120.0
EVENTS_KEPT = 100_000  # of each kind: far more than hands play in the minutes that are kept


class TakeError(BandmateError):
    """A take that cannot be kept or written. The message says what to do."""


class TakenNote(NamedTuple):
    """Times are samples of the take's time line."""

    on: int
    off: int
    channel: int
    pitch: int
    velocity: int


class TakenControl(NamedTuple):
    """A controller's value 0..127 from a sample of the take's time line on."""

    time: int
    channel: int
    number: int
    value: int


@dataclass
class TakenNotes:
    """What is written into the MIDI file.

    Attributes:
        notes: in order of their ends.
        controls: in order of time.
        tempi: (sample, beats a minute) in order of time.
    """

    notes: list[TakenNote] = field(default_factory=list)
    controls: list[TakenControl] = field(default_factory=list)
    tempi: list[tuple[int, float]] = field(default_factory=list)


class NoteLog:
    """Writes down events while they happen. Inference thread only."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], tuple[int, int]] = {}
        self._notes: deque[TakenNote] = deque(maxlen=EVENTS_KEPT)
        self._controls: deque[TakenControl] = deque(maxlen=EVENTS_KEPT)
        self._tempi: deque[tuple[int, float]] = deque(maxlen=EVENTS_KEPT)

    def add(self, event: Event, time: int) -> None:
        """Takes an event that happens at a sample of the take's time line."""
        kind, key = event.kind, (event.channel, event.number)
        if kind is EventKind.NOTE_ON:
            self._end(key, time)
            self._held[key] = (time, round(event.value))
        elif kind is EventKind.NOTE_OFF:
            self._end(key, time)
        elif kind is EventKind.CONTROL:
            self._controls.append(TakenControl(time, *key, round(event.value)))
        elif kind is EventKind.ALL_NOTES_OFF:
            self.end_all(time)
        elif kind is EventKind.CHANNEL_NOTES_OFF:
            for held in [held for held in self._held if held[0] == event.channel]:
                self._end(held, time)

    def tempo(self, time: int, bpm: float) -> None:
        """The host's tempo from a sample on; 0 if it has none."""
        if bpm > 0.0 and (not self._tempi or self._tempi[-1][1] != bpm):
            self._tempi.append((time, bpm))

    def end_all(self, time: int) -> None:
        """Nothing is held from a sample on."""
        for key in list(self._held):
            self._end(key, time)

    def forget(self, before: int) -> None:
        """Drops what was over before a sample."""
        while self._notes and self._notes[0].off < before:
            self._notes.popleft()
        while self._controls and self._controls[0].time < before:
            self._controls.popleft()
        while len(self._tempi) > 1 and self._tempi[1][0] < before:
            self._tempi.popleft()

    def snapshot(self, end: int) -> TakenNotes:
        """All that happened before a sample; what is held then ends there."""
        held = [TakenNote(on, end, *key, v) for key, (on, v) in self._held.items() if on < end]
        notes = [*(note for note in self._notes if note.on < end), *held]
        controls = [control for control in self._controls if control.time < end]
        return TakenNotes(notes, controls, list(self._tempi))

    def _end(self, key: tuple[int, int], time: int) -> None:
        if (begun := self._held.pop(key, None)) is not None:
            on, velocity = begun
            self._notes.append(TakenNote(on, max(on, time), *key, velocity))


def write_midi(path: Path, taken: TakenNotes, begin: int, end: int, sample_rate: int) -> None:
    """Writes the notes of [begin, end) as a MIDI file whose time 0 is `begin`, whole or not at all.

    Raises:
        TakeError: it cannot be written.
    """
    tempo_map = _TempoMap(taken.tempi, begin, sample_rate)
    timed: list[tuple[int, int, mido.Message | mido.MetaMessage]] = [
        (tick, 0, mido.MetaMessage("set_tempo", tempo=tempo)) for tick, tempo in tempo_map.changes
    ]
    for control in taken.controls:
        if begin <= control.time < end:
            message = mido.Message(
                "control_change",
                channel=control.channel,
                control=control.number,
                value=control.value,
            )
            timed.append((tempo_map.tick(control.time), 2, message))
    for note in taken.notes:
        if note.off <= begin or note.on >= end:
            continue
        on, off = tempo_map.tick(max(note.on, begin)), tempo_map.tick(min(note.off, end))
        what = {"channel": note.channel, "note": note.pitch}
        timed.append((on, 3, mido.Message("note_on", velocity=note.velocity, **what)))
        timed.append((max(off, on + 1), 1, mido.Message("note_off", **what)))
    track = mido.MidiTrack()
    last = 0
    for tick, _, message in sorted(timed, key=lambda entry: entry[:2]):
        track.append(message.copy(time=tick - last))
        last = tick
    length = max(0, tempo_map.tick(end) - last)
    track.append(mido.MetaMessage("end_of_track", time=length))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track]).save(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise TakeError(
            f"{path} cannot be written ({error.strerror}). Choose another place."
        ) from error


class _TempoMap:
    """Samples to ticks. The file's tempo is the host's: its notes lie on the host's beats."""

    def __init__(self, tempi: list[tuple[int, float]], begin: int, sample_rate: int) -> None:
        before = [bpm for time, bpm in tempi if time <= begin]
        first = before[-1] if before else tempi[0][1] if tempi else DEFAULT_TEMPO_BPM
        steps = [(begin, first), *((time, bpm) for time, bpm in tempi if time > begin)]
        self._rate = sample_rate
        self._steps: list[tuple[int, float, int]] = []  # sample, tick, microseconds a beat
        for time, bpm in steps:
            tempo = min(2**24 - 1, max(1, round(60e6 / bpm)))
            tick = self._exact(time) if self._steps else 0.0
            self._steps.append((time, tick, tempo))

    @property
    def changes(self) -> list[tuple[int, int]]:
        """(tick, microseconds a beat)."""
        return [(round(tick), tempo) for _, tick, tempo in self._steps]

    def tick(self, time: int) -> int:
        """The tick nearest to a sample."""
        return max(0, round(self._exact(time)))

    def _exact(self, time: int) -> float:
        step = self._steps[0]
        for other in self._steps:
            if other[0] <= time:
                step = other
        start, tick, tempo = step
        return tick + (time - start) * 1e6 * TICKS_PER_BEAT / (tempo * self._rate)
