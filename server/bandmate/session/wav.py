# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a sound file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.errors import BandmateError

WAV_BYTES_MAXIMUM = 2**32 - 2**16  # a plain WAV counts its bytes in 32 bits
SAMPLE_BYTES = 4
PROBE_BYTES = 65536


class SoundFileError(BandmateError):
    """A sound file that cannot be written."""


class WavWriter:
    """Writes float32 frames to PATH; the file appears there when all is written.

    Use as a context manager: on an exception nothing is left behind and an old file stays.
    """

    def __init__(self, path: Path, sample_rate: int, channels: int, length: int, skip: int) -> None:
        """Args:
        path: the file to write.
        sample_rate: in Hz.
        channels: per sample.
        length: samples to write per channel; what comes after them is dropped.
        skip: samples to drop first: the model's delay.
        """
        self._path = path
        real = path.resolve()
        self._target: Path | None = None  # where the finished file is moved to
        self._part = real
        if real.is_file() or not real.exists():
            # A device or pipe is written to; anything else appears whole or not at all.
            self._target = real
            self._part = real.with_name(f".{real.name}.{os.getpid()}.part")
        self._left = length
        self._skip = skip
        is_long = length * channels * SAMPLE_BYTES > WAV_BYTES_MAXIMUM
        try:
            # Asked first, because libsndfile does not say why a file cannot be opened.
            self._part.open("wb").close()
            self._file = soundfile.SoundFile(
                self._part,
                "w",
                sample_rate,
                channels,
                subtype="FLOAT",
                format="RF64" if is_long else "WAV",
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise self._failure(error) from error

    def write(self, audio: NDArray[np.float32]) -> None:
        """Appends [samples, channels]. Raises SoundFileError, e.g. when the disk is full."""
        dropped = min(self._skip, len(audio))
        self._skip -= dropped
        audio = audio[dropped : dropped + self._left]
        self._left -= len(audio)
        try:
            self._file.write(audio)
        except (OSError, soundfile.LibsndfileError, AssertionError) as error:
            # soundfile asserts that all samples went out; a full disk is why they would not.
            raise self._failure(error) from error

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._check_size()
                if self._target is not None:
                    self._part.replace(self._target)
        except (OSError, soundfile.LibsndfileError) as failure:
            raise self._failure(failure) from failure
        finally:
            self._remove_part()

    def _remove_part(self) -> None:
        if self._target is not None:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _check_size(self) -> None:
        # The header is written last and without a complaint: read back what it promises.
        info = soundfile.info(self._part)
        promised = info.frames * info.channels * SAMPLE_BYTES
        if self._left > 0 or self._part.stat().st_size < promised:
            raise OSError(None, "the disk is full")

    def _system_reason(self) -> str:
        """What the system says to a write here: libsndfile itself only says "System error"."""
        try:
            with self._part.open("ab") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
        except OSError as error:
            return error.strerror or str(error)
        return "it cannot be written as a sound file"

    def _failure(self, error: Exception) -> SoundFileError:
        reason = getattr(error, "strerror", None) or self._system_reason()
        self._remove_part()
        return SoundFileError(
            f"{self._path} cannot be written: {reason}. Free space or choose another place."
        )
