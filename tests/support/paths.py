# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the things under test are."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
MUSIC = ROOT / "tests" / "music"
PLUGIN_BUILD = Path(os.environ.get("BANDMATE_PLUGIN_BUILD") or ROOT / "build" / "plugin")


def built(name: str) -> Path:
    """The built bundle or program of that name, e.g. `Bandmate.vst3`.

    Raises:
        FileNotFoundError: it has not been built.
    """
    found = [path for path in PLUGIN_BUILD.rglob(name) if "CMakeFiles" not in path.parts]
    if not found:
        raise FileNotFoundError(f"{name} is not in {PLUGIN_BUILD}: run scripts/setup --tests first")
    return max(found, key=lambda path: path.stat().st_mtime)
