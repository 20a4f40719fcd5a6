# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shards as arrays in memory; the last shards are kept for validation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

VALIDATION_SHARDS = 3


@dataclass
class Clips:
    """What render.py wrote of the clips, along the first axis of each array.

    Attributes:
        features: [clips, frames, hops, bands] uint8; stereo: [clips, frames, regions, 2] uint8.
        rolls, velocities: [clips, frames, 128] uint8.
        families, effects: [clips] integers; drums: [clips] bool; captions, sounds: [clips] text.
    """

    features: np.ndarray
    stereo: np.ndarray
    rolls: np.ndarray
    velocities: np.ndarray
    families: np.ndarray
    drums: np.ndarray
    effects: np.ndarray
    captions: np.ndarray
    sounds: np.ndarray

    @property
    def styles(self) -> np.ndarray:
        """Families by the name that the training of styles and language uses."""
        return self.families


def shard_paths(folder: Path, validation: bool) -> list[Path]:
    """Training or validation shards of `folder`.

    Raises:
        SystemExit: there are too few shards.
    """
    paths = [p for p in sorted(folder.glob("clips_[0-9]*.npz")) if ".part" not in p.name]
    if len(paths) <= VALIDATION_SHARDS:
        raise SystemExit(f"{folder} holds {len(paths)} shards; run render.py first.")
    return paths[-VALIDATION_SHARDS:] if validation else paths[:-VALIDATION_SHARDS]


def load(folder: Path, validation: bool, limit: int | None = None) -> Clips:
    """Loads training or validation shards, at most `limit` of them (see `shard_paths`)."""
    return read(shard_paths(folder, validation)[:limit])


def read(paths: list[Path]) -> Clips:
    """Some shards.

    Each array is filled shard by shard, so that memory holds it once.
    """
    arrays: dict[str, np.ndarray] = {}
    for number, path in enumerate(paths):
        with np.load(path) as shard:
            for field in fields(Clips):
                part = shard[field.name]
                if part.dtype.kind == "U":
                    part = part.astype(object)  # texts of any length
                if number == 0:
                    arrays[field.name] = np.empty(
                        (len(paths) * len(part), *part.shape[1:]), part.dtype
                    )
                arrays[field.name][number * len(part) : (number + 1) * len(part)] = part
    return Clips(**arrays)
