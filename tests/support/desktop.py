# SPDX-License-Identifier: GPL-3.0-or-later
"""A desktop without a screen: Xvfb and a window manager, for programs with windows."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PROGRAMS = ("Xvfb", "openbox", "xdotool", "import")


def is_installed() -> bool:
    """Whether this machine has what it takes."""
    return all(shutil.which(program) for program in PROGRAMS)


class Desktop:
    """What a user sees and does there.

    Attributes:
        variables: for the environment of programs that shall open their windows here.
    """

    def __init__(self, display: str) -> None:
        self.variables = {"DISPLAY": display}

    def window(self, name: str) -> str | None:
        """Number of the visible window whose title begins so, or None."""
        found = self._xdotool("search", "--onlyvisible", "--name", f"^{name}").split()
        return found[-1] if found else None

    def press(self, window: str, *keys: str) -> None:
        """Keys, as xdotool names them, to a window."""
        self._xdotool("windowactivate", "--sync", window)
        self._xdotool("key", "--window", window, *keys)

    def size(self, window: str) -> tuple[int, int]:
        """Width and height."""
        told = self._xdotool("getwindowgeometry", "--shell", window).split()
        values = dict(line.split("=") for line in told)
        return int(values["WIDTH"]), int(values["HEIGHT"])

    def click(self, window: str, x: int, y: int) -> None:
        """The left button at a place of the window."""
        self._xdotool("mousemove", "--window", window, str(x), str(y), "click", "1")

    def picture(self, window: str, path: Path) -> NDArray[np.uint8]:
        """The window as [height, width, colours], also kept in a file."""
        from matplotlib.image import imread

        subprocess.run(["import", "-window", window, path], env=self._environment, check=True)
        return np.asarray(imread(path)[..., :3] * 255, np.uint8)

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables}

    def _xdotool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=self._environment, capture_output=True, text=True
        )
        return done.stdout


@contextmanager
def desktop(folder: Path, size: str = "1280x900x24") -> Iterator[Desktop]:
    """A fresh one; its log lies in `folder`."""
    reading, writing = os.pipe()
    processes: list[subprocess.Popen[bytes]] = []
    with (folder / "desktop.log").open("wb") as log:
        try:
            screen = ["-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"]
            processes.append(
                subprocess.Popen(["Xvfb", *screen], stdout=log, stderr=log, pass_fds=[writing])
            )
            os.close(writing)
            number = os.read(reading, 32).decode().strip()  # comes when it takes connections
            assert number, (folder / "desktop.log").read_text()
            place = Desktop(f":{number}")
            processes.append(
                subprocess.Popen(
                    ["openbox"], stdout=log, stderr=log, env={**os.environ, **place.variables}
                )
            )
            yield place
        finally:
            os.close(reading)
            for process in reversed(processes):
                process.terminate()
                process.wait()
