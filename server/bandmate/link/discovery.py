# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plugin finds the server, and how there is only one: lock, discovery file, stale files.

A crash may leave any of these files behind. The lock alone says who lives, because the system takes
it back with the process; everything else is replaced by the next server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bandmate.errors import BandmateError
from bandmate.paths import MACOS

DISCOVERY_NAME = "server.json"
LOCK_NAME = "server.lock"
SOCKET_NAME = "control"
# The system's limit for a Unix socket's path in bytes, without the closing zero.
SOCKET_PATH_BYTES = 103 if MACOS else 107
_SEGMENT = re.compile(r"segment-(\d+)-")


class ServerRunningError(BandmateError):
    """There is a server already."""


class RuntimeFolderError(BandmateError):
    """The private folder cannot hold what the server needs."""


@dataclass(frozen=True)
class Discovery:
    """Content of the discovery file.

    Attributes:
        protocol: newest message version the server speaks.
        pid: the server's process.
        endpoint: ZeroMQ endpoint of its control socket.
        token: secret that every request carries, hex.
        started: seconds since 1970.
        version: the server's version.
    """

    protocol: int
    pid: int
    endpoint: str
    token: str
    started: float
    version: str

    def write(self, folder: Path) -> None:
        """Replaces the discovery file in one step; only this user may read it.

        Raises:
            RuntimeFolderError: the folder cannot be written.
        """
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=".server-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            Path(temporary).replace(folder / DISCOVERY_NAME)
        except OSError as error:
            raise RuntimeFolderError(
                f"{folder / DISCOVERY_NAME} cannot be written: {error.strerror}. "
                "Free space there or set BANDMATE_RUNTIME_DIR."
            ) from error


def read_discovery(folder: Path) -> Discovery | None:
    """The running server's file; None if there is none, it is broken or its server died."""
    try:
        raw: Any = json.loads((folder / DISCOVERY_NAME).read_text(encoding="utf-8"))
        found = Discovery(
            protocol=int(raw["protocol"]),
            pid=int(raw["pid"]),
            endpoint=str(raw["endpoint"]),
            token=str(raw["token"]),
            started=float(raw["started"]),
            version=str(raw["version"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if process_lives(found.pid) else None


def remove_discovery(folder: Path, pid: int) -> None:
    """Removes the discovery file if it is that process's own."""
    found = read_discovery(folder)
    if found is not None and found.pid == pid:
        with contextlib.suppress(OSError):
            (folder / DISCOVERY_NAME).unlink(missing_ok=True)


def process_lives(pid: int) -> bool:
    """Whether there is a process of that number."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class ServerLock:
    """Held by the running server for its whole life."""

    def __init__(self, folder: Path) -> None:
        """Takes the lock.

        Raises:
            ServerRunningError: another process holds it.
            RuntimeFolderError: the lock file cannot be made.
        """
        path = folder / LOCK_NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RuntimeFolderError(
                f"{path} cannot be made: {error.strerror}. Set BANDMATE_RUNTIME_DIR."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            raise ServerRunningError(
                f"A server runs already (process {holder or 'unknown'}, folder {folder}). "
                "Plugins find it by themselves; `bandmate serve --stop` ends it."
            ) from error
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Gives the lock back. The file stays: removing it would let two servers lock two files."""
        os.close(self._file)


def server_runs(folder: Path) -> bool:
    """Whether some process holds the lock. True of none that has died, zombies included."""
    try:
        file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def socket_path(folder: Path) -> Path:
    """Path of the control socket, free of what a dead server left. Call with the lock held.

    Raises:
        RuntimeFolderError: the path is too long for a Unix socket.
    """
    path = folder / SOCKET_NAME
    size = len(os.fsencode(path))
    if size > SOCKET_PATH_BYTES:
        raise RuntimeFolderError(
            f"{path} is too long for a Unix socket: {size} bytes, the limit is "
            f"{SOCKET_PATH_BYTES}. Set BANDMATE_RUNTIME_DIR to a shorter folder."
        )
    path.unlink(missing_ok=True)
    return path


def sweep_segments(folder: Path) -> list[Path]:
    """Removes shared memory of dead plugins.

    Returns:
        The files removed.
    """
    removed = []
    for path in folder.iterdir():
        match = _SEGMENT.match(path.name)
        if match and not process_lives(int(match[1])):
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed
