# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour 7 without a display: scan, make a session, export, record in real time."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from support.paths import ROOT
from support.sandbox import Sandbox

LIBRARIES = Path("/usr/lib/ardour7")
SCRIPT = ROOT / "tests" / "hosts" / "ardour" / "session.lua"


def is_installed() -> bool:
    """Whether this machine has it."""
    return shutil.which("ardour7-lua") is not None


@dataclass(frozen=True)
class Take:
    """What was recorded in real time.

    Attributes:
        audio: [samples, 2].
        position: timeline sample of the first of them.
        xruns: blocks the host was late with.
    """

    audio: NDArray[np.float32]
    position: int
    xruns: int


class Session:
    """One Ardour session with the plugin on the instrument track "Band"."""

    def __init__(self, place: Sandbox, plugin_id: str, rate: int, block: int) -> None:
        self.place, self.rate, self.block = place, rate, block
        self.folder = place.root / "song"
        printed = self._lua("make", self.folder, rate, block, plugin_id)
        self.latency = int(printed["latency"][0])

    @property
    def file(self) -> Path:
        return self.folder / "song.ardour"

    def automate(self, parameter: str, *points: tuple[float, float]) -> None:
        """Automates a parameter by (seconds, share of its range from 0 to 1) points."""
        texts = [f"{seconds}:{value}" for seconds, value in points]
        self._lua("automate", self.folder, parameter, *texts)

    def export(self) -> NDArray[np.float32]:
        """Renders the session offline to [samples, 2]."""
        target = self.place.root / "export.wav"
        done = self.place.run(
            ["ardour7-export", "-b", "float", "-o", str(target), str(self.folder), "song"]
        )
        assert target.exists(), done.stdout + done.stderr
        audio, rate = soundfile.read(target, dtype="float32", always_2d=True)
        assert rate == self.rate
        return audio

    def record(self, seconds: float, warm_up: float = 0.5) -> Take:
        """Rolls from the start at real speed; `warm_up` is the stopped time before."""
        printed = self._lua(
            "record", self.folder, self.block, seconds, WARM_UP_SECONDS=str(warm_up)
        )
        position, start, length = (int(value) for value in printed["region"])
        files = sorted((self.folder / "interchange" / "song" / "audiofiles").glob("*.wav"))
        channels = [soundfile.read(file, dtype="float32", always_2d=True)[0] for file in files]
        audio = np.concatenate(channels, axis=1)[start : start + length]
        return Take(audio, position, int(printed["xruns"][0]))

    def _lua(self, *arguments: object, **variables: str) -> dict[str, list[str]]:
        """Runs the script; returns its printed lines by their first word."""
        done = self.place.run(
            ["ardour7-lua", str(SCRIPT), *(str(argument) for argument in arguments)],
            env={**self.place.environment, **variables},
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        lines = [words for line in done.stdout.splitlines() if (words := line.split())]
        return {words[0]: words[1:] for words in lines}


def scan(place: Sandbox, plugin: Path) -> subprocess.CompletedProcess[str]:
    """Makes Ardour know a VST3: its command line tools read only the cache that this writes."""
    variables = {"LD_LIBRARY_PATH": str(LIBRARIES)}
    return place.run(
        [str(LIBRARIES / "ardour-vst3-scanner"), "-q", "-f", str(plugin)],
        env={**place.environment, **variables},
    )
