# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the official files are: the layout that Google's own tools use on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bandmate.models.bundle import Bundle, BundleError

HOME_VARIABLE = "MAGENTA_HOME"
FOLDER = "magenta-rt-v2"


@dataclass(frozen=True)
class OfficialFiles:
    """Paths below one root. None of them need exist."""

    root: Path

    def checkpoint(self, name: str) -> Path:
        """A whole model: depthformer, codec decoder and quantiser."""
        return self.root / "checkpoints" / f"{name}.safetensors"

    def exported(self, name: str) -> Path:
        """A model as an exported MLX function."""
        return self.root / "models" / name / f"{name}.mlxfn"

    def exported_state(self, name: str) -> Path:
        """The state that an exported function starts from."""
        return self.root / "models" / name / f"{name}_state.safetensors"

    def codec(self, part: str) -> Path:
        """`encoder`, `decoder` or `quantizer` of SpectroStream."""
        return self.root / "resources" / "spectrostream" / f"{part}.safetensors"

    @property
    def musiccoca(self) -> Path:
        """Folder of the style encoder."""
        return self.root / "resources" / "musiccoca"


def official_files() -> OfficialFiles:
    """The files of this user: below MAGENTA_HOME, or where the official tools put them."""
    named = os.environ.get(HOME_VARIABLE)
    home = Path(named).expanduser() if named else Path.home() / "Documents" / "Magenta"
    return OfficialFiles(home / FOLDER)


def find_checkpoint(bundle: Bundle) -> Path:
    """The bundle's checkpoint: in its own folder, or where the official tools put it.

    Raises:
        BundleError: it is in neither place.
    """
    if "checkpoint" in bundle.weights:
        return bundle.weights["checkpoint"]
    path = official_files().checkpoint(bundle.name)
    if not path.is_file():
        raise BundleError(
            f"The weights of {bundle.name} are not here ({path} is missing). "
            f"Get them with `bandmate models download {bundle.name}`."
        )
    return path


def find_encoder(bundle: Bundle) -> Path:
    """The codec encoder's file, which playing does not need: found as the checkpoint is.

    Raises:
        BundleError: it is in neither place.
    """
    if "encoder" in bundle.weights:
        return bundle.weights["encoder"]
    path = official_files().codec("encoder")
    if not path.is_file():
        raise BundleError(
            f"The encoder that turns sound into codes is not here ({path} is missing). "
            f"Get it with `bandmate models download {bundle.name}`."
        )
    return path
