# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the sound goes: a device through PortAudio, or nowhere at the pace of a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError

Pull = Callable[[int], NDArray[np.float32]]
EXTRA = "pip install 'bandmate[play]'"


class OutputError(BandmateError):
    """No sound can be put out. The message says what to do."""


class NoOutput:
    """Takes the sound at its own pace, for machines without a sound card."""

    def __init__(self, pull: Pull, sample_rate: int, block: int) -> None:
        self._pull, self._block, self._seconds = pull, block, block / sample_rate
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="no-output", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self._pull(self._block)
            due += self._seconds


class DeviceOutput:
    """A device of this machine."""

    def __init__(
        self, pull: Pull, sample_rate: int, channels: int, block: int, device: str | None
    ) -> None:
        """Raises OutputError: there is no such device, or none at all."""
        try:
            import sounddevice
        except ImportError as error:
            raise OutputError(f"Sound output needs sounddevice: {EXTRA}.") from error
        except OSError as error:
            raise OutputError(
                "PortAudio is not installed (Debian: apt-get install libportaudio2). "
                "Without it: --output none."
            ) from error

        def callback(out: NDArray[np.float32], frames: int, _time: Any, _status: Any) -> None:
            for begin in range(0, frames, block):
                part = out[begin : begin + block]
                part[:] = pull(len(part))

        try:
            self._stream = sounddevice.OutputStream(
                samplerate=sample_rate,
                channels=channels,
                blocksize=block,
                device=device,
                dtype="float32",
                callback=callback,
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            raise OutputError(
                f"There is no usable audio device ({str(error).splitlines()[0]}). "
                "Choose one of `python -m sounddevice` with --output, or --output none."
            ) from error

    def start(self) -> None:
        """Begins."""
        self._stream.start()

    def close(self) -> None:
        """Ends."""
        self._stream.close()
