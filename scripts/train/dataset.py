# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shards as arrays in memory; the last shards are kept for validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

VALIDATION_SHARDS = 3


@dataclass
class Clips:
    """Features [clips, frames, hops, bands] uint8 and what belongs to them."""

    features: np.ndarray
    rolls: np.ndarray
    styles: np.ndarray


def load(folder: Path, validation: bool, limit: int | None = None) -> Clips:
    """Loads training or validation shards of `folder` (see render.py).

    Raises:
        SystemExit: there are too few shards.
    """
    paths = sorted(folder.glob("clips_[0-9]*.npz"))
    paths = [p for p in paths if ".part" not in p.name]
    if len(paths) <= VALIDATION_SHARDS:
        raise SystemExit(f"{folder} holds {len(paths)} shards; run render.py first.")
    paths = paths[-VALIDATION_SHARDS:] if validation else paths[:-VALIDATION_SHARDS][:limit]
    shards = [np.load(p) for p in paths]
    return Clips(
        *(np.concatenate([s[key] for s in shards]) for key in ("features", "rolls", "styles"))
    )
