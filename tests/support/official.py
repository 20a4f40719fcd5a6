# SPDX-License-Identifier: GPL-3.0-or-later
"""An official model at the reduced size of the parity vectors."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from bandmate.parity.config import read_config
from support.paths import ROOT

PARITY_DATA = ROOT / "tests" / "parity" / "data"
TINY = "tiny"
CHECKPOINT, ENCODER = "checkpoint.safetensors", "encoder.safetensors"


def write_tiny_bundle(folder: Path, *, weights: bool = False) -> Path:
    """Writes FOLDER/tiny with a `bundle.json`, and its files if `weights`; returns it."""
    config = read_config(PARITY_DATA)
    codec = asdict(config.codec)
    del codec["sample_rate"]
    path = folder / TINY
    path.mkdir()
    description = {
        "format": 1,
        "name": TINY,
        "family": "mrt2",
        "frame": {
            "sample_rate": 48000,
            "frame_samples": 1920,
            "channels": 2,
            "delay_samples": 1920,
        },
        "conditioning": asdict(config.conditioning),
        "depthformer": asdict(config.depthformer),
        "codec": {**codec, "gain": 0.5},
    }
    if weights:
        description["weights"] = {"checkpoint": CHECKPOINT, "encoder": ENCODER}
        for file in (CHECKPOINT, ENCODER):
            shutil.copy(PARITY_DATA / file, path)
    (path / "bundle.json").write_text(json.dumps(description))
    return path
