# SPDX-License-Identifier: GPL-3.0-or-later
"""Ardour 7 without a display: scan, make a session, export, record in real time."""

from __future__ import annotations

import base64
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.report.preset import with_styles
from support.paths import ROOT
from support.sandbox import Sandbox

LIBRARIES = Path("/usr/lib/ardour7")
SCRIPT = ROOT / "tests" / "hosts" / "ardour" / "session.lua"


EXPORTS = 10
SILENCE = 1e-3  # the bundled model's floor is far below, any note far above
IMPOSSIBLE = 1e6


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

    def automate(self, **points: Sequence[tuple[float, float]]) -> None:
        """Automates parameters of a VST3: (seconds, share of the range from 0 to 1) points.

        A parameter's name is written with _ for spaces: Style_1=[(0, 1), (2, 0)].
        """
        words = []
        for parameter, values in points.items():
            words.append(parameter.replace("_", " "))
            words += [f"{seconds}:{value}" for seconds, value in values]
        self._lua("automate", self.folder, *words)

    def set_styles(self, *styles: str) -> None:
        """Puts texts into the style slots, from the first on; the others become empty."""
        tree = ET.parse(self.file)
        for chunk in tree.getroot().iter("chunk"):
            preset = with_styles(base64.b64decode(chunk.text or ""), styles)
            chunk.text = base64.b64encode(preset).decode("ascii")
        tree.write(self.file, encoding="UTF-8", xml_declaration=True)

    def export(self) -> NDArray[np.float32]:
        """Renders the session offline to [samples, 2]; it must hold notes.

        On a busy machine Ardour 7.3 now and then exports a session as if its MIDI regions were
        empty, whatever plays them (its own Reasonable Synth too), or writes nothing: then it is
        done again. So it is when one sample of each of its own blocks holds 1e19, seen once: what
        plays here cannot be over full scale, for its limiter comes last.
        """
        peaks = []
        for _ in range(EXPORTS):
            audio = self._export()
            peaks.append(float(np.abs(audio).max(initial=0)))
            if SILENCE < peaks[-1] < IMPOSSIBLE:
                return audio
        raise AssertionError(f"{EXPORTS} exports were silent or broken: peaks {peaks}")

    def repeated_export(self) -> NDArray[np.float32]:
        """An export that another one equals, sample by sample.

        A plugin whose exports differ fails each time; what Ardour itself breaks now and then, see
        `export`, does not fail twice in the same way.
        """
        last = self.export()
        for _ in range(EXPORTS):
            again = self.export()
            if np.array_equal(again, last):
                return again
            last = again
        raise AssertionError(f"no two of {EXPORTS + 1} exports in a row were the same")

    def _export(self) -> NDArray[np.float32]:
        target = self.place.root / "export.wav"
        target.unlink(missing_ok=True)
        done = self.place.run(
            ["ardour7-export", "-b", "float", "-o", str(target), str(self.folder), "song"]
        )
        if not target.exists():
            print(done.stdout + done.stderr)  # shown if all of them fail
            return np.zeros((0, 2), np.float32)
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
