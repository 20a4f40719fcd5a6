# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's live host as a process: it plays notes in real time and tells what it heard."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.clicks import sharp_clicks
from support.paths import built
from support.sandbox import Sandbox

RATE = 48000
NOTE_LENGTH = 14400  # samples: latency_host.cpp
END_SECONDS = 240.0  # for server and model to get ready, beside the run itself


@dataclass(frozen=True)
class Played:
    """A run.

    Attributes:
        latency: samples that the plugin reports.
        block: samples of the host's blocks.
        underruns: frames that were not there when due.
        starts: samples at which notes were played.
        heard: samples at which notes sound, of all that is in the recording.
        sound: what was heard, one channel.
    """

    latency: int
    block: int
    underruns: int
    starts: list[int]
    heard: list[int]
    sound: NDArray[np.float32]

    @property
    def expected(self) -> list[int]:
        """Where notes must sound, if they do."""
        return [at + self.latency for at in self.starts if at + self.latency < len(self.sound)]

    @property
    def missing(self) -> list[int]:
        """Those that did not."""
        return sorted(set(self.expected) - set(self.heard))

    @property
    def strays(self) -> list[int]:
        """Notes that sound where none was played.

        A session that is opened anew strikes what is held again, at the beginning of a block.
        """
        return [at for at in self.heard if at not in self.expected and not self._is_struck_anew(at)]

    def _is_struck_anew(self, at: int) -> bool:
        played = at - self.latency
        is_held = any(start < played < start + NOTE_LENGTH for start in self.starts)
        return is_held and played % self.block == 0


class NotesHost:
    """Starts when made; `result` waits for the end."""

    def __init__(
        self, place: Sandbox, seconds: float, block: int = 256, prefix: tuple[str, ...] = ()
    ) -> None:
        """`prefix`: what to put before the command, e.g. the machine to run it on."""
        self._sound = place.root / "heard.f32"
        self._seconds, self._block = seconds, block
        command = [built("bandmate_latency_host"), built("Bandmate.vst3"), block, seconds]
        self._process = subprocess.Popen(
            [*prefix, *map(str, [*command, self._sound])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=place.environment,
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def result(self) -> Played:
        """What it played and heard.

        Raises:
            AssertionError: it failed, with its words.
        """
        out, complaint = self._process.communicate(timeout=self._seconds + END_SECONDS)
        assert self._process.returncode == 0, complaint[-2000:]
        report = json.loads(out.splitlines()[-1])
        sound = np.fromfile(Path(self._sound), np.float32)[::2]
        return Played(
            report["latency_samples"],
            self._block,
            report["underruns"],
            report["starts"],
            sharp_clicks(sound),
            sound,
        )
