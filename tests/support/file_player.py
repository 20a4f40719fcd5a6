# SPDX-License-Identifier: GPL-3.0-or-later
"""A MIDI file through the built VST3 in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.paths import ROOT, built
from support.sandbox import Sandbox

PROGRAM = ROOT / "tests" / "hosts" / "programs" / "play_file.py"


def play_file(
    place: Sandbox, midi: Path, seconds: float, **job: Any
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Plays `seconds` of the file; the report of programs/play_file.py and [samples, 2]."""
    out = place.root / "played.npy"
    whole = {"plugin": str(built("Bandmate.vst3")), "midi": str(midi), "out": str(out), **job}
    report = place.python(PROGRAM, json.dumps({**whole, "seconds": seconds}))
    return report, np.load(out)
