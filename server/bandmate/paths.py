# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Bandmate keeps things, per platform. Every path of this kind is decided here."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from bandmate.errors import BandmateError

MACOS = sys.platform == "darwin"


class FolderError(BandmateError):
    """A folder that cannot be used, with what to do about it."""


def config_dir() -> Path:
    """Folder of settings (`engine.json`) and of the user's own models. Not created here."""
    if named := os.environ.get("BANDMATE_CONFIG_DIR"):
        return Path(named)
    if MACOS:
        return Path.home() / "Library" / "Application Support" / "Bandmate"
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "bandmate"


def log_file() -> Path:
    """File the server logs to."""
    if named := os.environ.get("BANDMATE_CONFIG_DIR"):
        return Path(named) / "server.log"
    if MACOS:
        return Path.home() / "Library" / "Logs" / "Bandmate" / "server.log"
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "bandmate" / "server.log"


def takes_dir() -> Path:
    """Folder of the sound that takes are made of. On a disk: it grows by minutes. Not made here."""
    if named := os.environ.get("BANDMATE_CONFIG_DIR"):
        return Path(named) / "takes"
    if MACOS:
        return Path.home() / "Library" / "Caches" / "Bandmate" / "takes"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bandmate" / "takes"


def _runtime_path() -> Path:
    if named := os.environ.get("BANDMATE_RUNTIME_DIR"):
        return Path(named)
    if MACOS:
        return Path(os.environ.get("TMPDIR") or tempfile.gettempdir()) / f"bandmate-{os.getuid()}"
    if base := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(base) / "bandmate"
    return Path("/tmp") / f"bandmate-{os.getuid()}"


def runtime_dir() -> Path:
    """The private folder of the socket, the discovery file and the shared memory; made if missing.

    Raises:
        FolderError: it cannot be made, is no folder of this user, or others may look into it.
    """
    path = _runtime_path()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat()
    except OSError as error:
        raise FolderError(
            f"{path} cannot be made ({error.strerror}). "
            "Set BANDMATE_RUNTIME_DIR to a folder of yours."
        ) from error
    if not stat.S_ISDIR(info.st_mode):
        raise FolderError(f"{path} is not a folder. Remove it, or set BANDMATE_RUNTIME_DIR.")
    if info.st_uid != os.getuid():
        raise FolderError(f"{path} belongs to another user. Set BANDMATE_RUNTIME_DIR.")
    if stat.S_IMODE(info.st_mode) & 0o077:
        # Ours, but open to others: made by hand or by a loose umask. Closing it is what is wanted.
        path.chmod(0o700)
    return path


def plugin_folders() -> dict[str, Path]:
    """Folders of this user where hosts look for plugins, by format, and for the app."""
    home = Path.home()
    if MACOS:
        plugins = home / "Library" / "Audio" / "Plug-Ins"
        return {
            "vst3": plugins / "VST3",
            "lv2": plugins / "LV2",
            "au": plugins / "Components",
            "standalone": home / "Applications",
        }
    return {
        "vst3": home / ".vst3",
        "lv2": home / ".lv2",
        "standalone": home / ".local" / "bin",
    }
