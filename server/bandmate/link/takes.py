# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the takes of all sessions are kept: one thread that writes, one folder a server."""

from __future__ import annotations

import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bandmate.link.discovery import process_lives
from bandmate.link.prompts import step_back
from bandmate.models.interface import FrameSpec
from bandmate.paths import takes_dir
from bandmate.session.takes.recorder import TakeRecorder


class TakeShelf:
    """Makes recorders. Control thread only."""

    def __init__(self) -> None:
        """Removes what servers have left that did not get to do so themselves."""
        self._folder = takes_dir() / str(os.getpid())
        self._writer = ThreadPoolExecutor(1, "takes", initializer=step_back)
        with contextlib.suppress(OSError):
            for folder in takes_dir().iterdir():
                if _is_left(folder):
                    shutil.rmtree(folder, ignore_errors=True)

    def recorder(self, spec: FrameSpec) -> TakeRecorder:
        """A recorder for a new session."""
        return TakeRecorder(spec, self._folder, self._writer)

    def close(self) -> None:
        """Removes all takes and joins the thread."""
        self._writer.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    own = folder.name == str(os.getpid())  # of an earlier process with our number
    return folder.name.isdigit() and (own or not process_lives(int(folder.name)))
