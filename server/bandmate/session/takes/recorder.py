# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the last minutes of what a session plays: sound on disk, notes in memory.

The take's time line is stream time, epoch after epoch without a gap: sample i of frame k lies at
the epoch's beginning + kF + i - D, as the plugin plays it, so sound and notes are aligned.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.models.interface import FrameSpec
from bandmate.session.events import Event
from bandmate.session.takes.notes import NoteLog, TakeError, TakenNotes, write_midi
from bandmate.session.wav import WavWriter

log = logging.getLogger(__name__)

SECONDS_KEPT = 600.0
CHUNK_SECONDS = 4.0

_numbers = itertools.count(1)


@dataclass(frozen=True)
class _Chunk:
    """Sound [begin, end) of the time line; in no file if it is silent."""

    begin: int
    end: int
    path: Path | None


class TakeRecorder:
    """One session's. `frame`, `event` and the like on the inference thread, which never waits."""

    def __init__(self, spec: FrameSpec, folder: Path, writer: ThreadPoolExecutor) -> None:
        """Args:
        spec: the model's grid.
        folder: for files of sound; made when there is something to keep.
        writer: one thread, which writes and reads the files.
        """
        self._spec = spec
        self._folder = folder
        self._writer = writer
        self._name = next(_numbers)
        self._notes = NoteLog()
        self._base = 0  # of the epoch on the time line
        self._end = 0  # of the sound so far
        self._pending: list[tuple[int, NDArray[np.float32]]] = []
        self._pending_samples = 0
        # The writer thread's own:
        self._chunks: deque[_Chunk] = deque()
        self._failure = ""

    def begin_epoch(self) -> None:
        """The stream starts anew; what is held has ended."""
        self._notes.end_all(self._end)
        self._base = self._end

    def event(self, event: Event) -> None:
        """Takes an event of the present epoch."""
        self._notes.add(event, self._base + event.time)

    def tempo(self, time: int, bpm: float) -> None:
        """The host's tempo from a time of the present epoch on."""
        self._notes.tempo(self._base + time, bpm)

    def frame(self, index: int, audio: NDArray[np.float32]) -> None:
        """Takes frame k of the present epoch [F, channels]. It must not change afterwards."""
        begin = self._base + index * self._spec.frame_samples - self._spec.delay_samples
        # The first samples of an epoch belong to a time before it: they are never heard.
        audio = audio[max(0, self._end - begin) :]
        begin = max(begin, self._end)
        if len(audio) == 0:
            return
        if self._pending and begin != self._end:
            self._flush()  # frames were left out: there is silence between
        self._pending.append((begin, audio))
        self._pending_samples += len(audio)
        self._end = begin + len(audio)
        if self._pending_samples >= CHUNK_SECONDS * self._spec.sample_rate:
            self._flush()
            self._notes.forget(self._end - int(SECONDS_KEPT * self._spec.sample_rate))

    def snapshot(self) -> tuple[TakenNotes, int]:
        """The notes so far and where the take ends; the sound until there is handed over."""
        self._flush()
        return self._notes.snapshot(self._end), self._end

    def save(
        self,
        snapshot: tuple[TakenNotes, int],
        path: Path,
        seconds: float,
        given_up: threading.Event,
    ) -> float | None:
        """Writes the end of the take. Any thread but the inference thread; waits for the writer.

        Args:
            snapshot: from `snapshot`.
            path: of the sound file; the notes lie beside it, ending in .mid.
            seconds: at most so much; silence before the first sound or note is left away.
            given_up: ends the work when set; then nothing is written.

        Returns:
            The length in seconds; None if it was given up.

        Raises:
            BandmateError: there is nothing, or it cannot be written.
        """
        return self._writer.submit(self._save, snapshot, path, seconds, given_up).result()

    def close(self) -> None:
        """Forgets the take. No frame may follow."""
        self._pending.clear()

        def remove() -> None:
            for chunk in self._chunks:
                self._remove(chunk)
            self._chunks.clear()

        self._writer.submit(remove)

    # What follows runs on the writer's thread, but for `_flush`.

    def _flush(self) -> None:
        if self._pending:
            self._writer.submit(self._keep, self._pending)
        self._pending, self._pending_samples = [], 0

    def _keep(self, frames: list[tuple[int, NDArray[np.float32]]]) -> None:
        audio = np.concatenate([samples for _, samples in frames])
        begin = frames[0][0]
        path: Path | None = None
        if audio.any():
            path = self._folder / f"take-{self._name}-{begin}.flac"
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, audio, self._spec.sample_rate, subtype="PCM_24")
            except (OSError, soundfile.LibsndfileError) as error:
                self._fail(error)
                path = None
        self._chunks.append(_Chunk(begin, begin + len(audio), path))
        horizon = begin + len(audio) - int(SECONDS_KEPT * self._spec.sample_rate)
        while self._chunks[0].end <= horizon:
            self._remove(self._chunks.popleft())

    def _fail(self, error: Exception) -> None:
        if not self._failure:
            log.error("a take cannot be kept in %s: %s", self._folder, error)
        self._failure = f"Takes cannot be kept in {self._folder} ({error}). Free space there."

    def _remove(self, chunk: _Chunk) -> None:
        if chunk.path is not None:
            try:
                chunk.path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s cannot be removed: %s", chunk.path, error)

    def _save(
        self,
        snapshot: tuple[TakenNotes, int],
        path: Path,
        seconds: float,
        given_up: threading.Event,
    ) -> float | None:
        notes, end = snapshot
        begin = self._beginning(notes, end, seconds)
        rate = self._spec.sample_rate
        try:
            with WavWriter(path, rate, self._spec.channels, end - begin, 0) as file:
                position = begin
                for chunk in list(self._chunks):
                    if given_up.is_set():
                        raise _GivenUpError
                    if chunk.end <= position or chunk.begin >= end:
                        continue
                    self._silence(file, chunk.begin - position)
                    position = max(position, chunk.begin)
                    file.write(self._sound(chunk)[position - chunk.begin :])
                    position = chunk.end
                self._silence(file, end - position)
                write_midi(path.with_suffix(".mid"), notes, begin, end, rate)
        except _GivenUpError:
            return None
        return (end - begin) / rate

    def _beginning(self, notes: TakenNotes, end: int, seconds: float) -> int:
        """Where the saved part begins. Raises TakeError."""
        if self._failure:
            raise TakeError(self._failure)
        earliest = end - int(seconds * self._spec.sample_rate)
        sounds = [chunk.begin for chunk in self._chunks if chunk.path and chunk.end > earliest]
        strikes = [note.on for note in notes.notes if note.off > earliest]
        if not sounds and not strikes:
            raise TakeError("Nothing has been played yet. Play something, then save it.")
        kept = self._chunks[0].begin if self._chunks else end
        return max(earliest, kept, min(*sounds, *strikes, end))

    def _sound(self, chunk: _Chunk) -> NDArray[np.float32]:
        if chunk.path is None:
            return np.zeros((chunk.end - chunk.begin, self._spec.channels), np.float32)
        try:
            audio, _ = soundfile.read(chunk.path, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise TakeError(
                f"A part of the take is gone from {self._folder} ({error}). Save less of it."
            ) from error
        return np.asarray(audio, np.float32)

    def _silence(self, file: WavWriter, samples: int) -> None:
        if samples > 0:
            file.write(np.zeros((samples, self._spec.channels), np.float32))


class _GivenUpError(Exception):
    """Leaves the file that is being written behind."""
