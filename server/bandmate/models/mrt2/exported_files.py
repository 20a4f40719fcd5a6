# SPDX-License-Identifier: GPL-3.0-or-later
"""Where exported models are."""

from __future__ import annotations

from pathlib import Path

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.mrt2.files import find_checkpoint, official_files


def state_beside(exported: Path) -> Path:
    """The state file that belongs to an exported function."""
    return exported.with_name(f"{exported.stem}_state.safetensors")


def find_exported(bundle: Bundle) -> tuple[Path, Path] | None:
    """The bundle's exported function and its state, if both are here and no checkpoint is.

    A checkpoint is better where there is one: it runs with any MLX, and on CPUs much faster.
    """
    try:
        find_checkpoint(bundle)
    except BundleError:
        path = bundle.weights.get("exported") or official_files().exported(bundle.name)
        files = path, state_beside(path)
        return files if all(file.is_file() for file in files) else None
    return None
