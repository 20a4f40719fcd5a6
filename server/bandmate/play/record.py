# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what is heard in a file; the audio thread only hands it over."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.session.wav import SoundFileError


class Recorder:
    """Writes a float32 WAV on a thread of its own."""

    def __init__(self, path: Path, sample_rate: int, channels: int) -> None:
        """Raises SoundFileError: the file cannot be made."""
        self._path = path
        self._failure = ""
        try:
            path.open("wb").close()  # libsndfile does not say why a file cannot be opened
            self._file = soundfile.SoundFile(
                path, "w", sample_rate, channels, subtype="FLOAT", format="WAV"
            )
        except (OSError, soundfile.LibsndfileError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SoundFileError(f"{path} cannot be written: {reason}.") from error
        self._queue: queue.SimpleQueue[NDArray[np.float32] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="record")
        self._thread.start()

    def add(self, audio: NDArray[np.float32]) -> None:
        """Takes [samples, channels]. Never waits."""
        self._queue.put(audio)

    def close(self) -> None:
        """Ends the file. Raises SoundFileError: not all of it could be written."""
        self._queue.put(None)
        self._thread.join()
        if self._failure:
            raise SoundFileError(f"{self._path} is not whole: {self._failure}. Free space.")

    def _run(self) -> None:
        while (audio := self._queue.get()) is not None:
            try:
                if not self._failure:
                    self._file.write(audio)
            except (OSError, soundfile.LibsndfileError, AssertionError) as error:
                self._failure = str(error) or "the disk is full"
        try:
            self._file.close()
        except (OSError, soundfile.LibsndfileError) as error:
            self._failure = self._failure or str(error)
