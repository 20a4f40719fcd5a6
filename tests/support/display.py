# SPDX-License-Identifier: GPL-3.0-or-later
"""A display without a screen, and pictures of what stands on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.image import imread
from numpy.typing import NDArray

PROGRAMS = ("Xvfb", "xdotool", "import")


def is_installed() -> bool:
    """Whether this machine has the virtual display and what is used on it."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def virtual_display(width: int = 1400, height: int = 900) -> Iterator[dict[str, str]]:
    """A new X server; yields the environment variables that lead to it."""
    read, write = os.pipe()
    screen = f"{width}x{height}x24"
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-nolisten", "tcp"]
    server = subprocess.Popen(
        command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as number:  # the server writes it when it is ready, or closes the pipe
            display = number.readline().strip()
        assert display, f"Xvfb ended with status {server.wait()}"
        yield {"DISPLAY": f":{display}"}
    finally:
        server.terminate()
        server.wait()


def pixels(picture: Path) -> NDArray[np.int16]:
    """A picture's colours [height, width, 3], 0 to 255."""
    return np.round(255 * imread(picture)[..., :3]).astype(np.int16)


def has_colour(area: NDArray[np.int16], colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    """Whether any pixel of an area has nearly this colour."""
    return bool((np.abs(area - np.array(colour)).max(axis=-1) <= tolerance).any())
