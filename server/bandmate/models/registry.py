# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding model bundles and loading them by family."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from bandmate.models.bundle import FILE_NAME, PRECISIONS, Bundle, BundleError, load_bundle
from bandmate.models.interface import Model, StyleEncoder
from bandmate.paths import config_dir

log = logging.getLogger(__name__)

DEFAULT_MODEL = "pico"
SEARCH_VARIABLE = "BANDMATE_MODELS"


@dataclass(frozen=True)
class FoundBundle:
    """A folder that holds a `bundle.json`.

    Attributes:
        name: the folder's name, by which the model is asked for.
        path: the folder.
    """

    name: str
    path: Path

    def load(self) -> Bundle:
        """The checked description. Raises BundleError."""
        bundle = load_bundle(self.path)
        if bundle.name != self.name:
            raise BundleError(
                f"{self.path / FILE_NAME} names itself {bundle.name!r}. "
                f"Rename its folder to {bundle.name!r}."
            )
        return bundle


def search_folders() -> list[Path]:
    """Folders of bundles, the first that has a name wins.

    They are those in BANDMATE_MODELS (separated as in PATH), `models` in the configuration folder,
    and the bundles that come with the package.
    """
    named = os.environ.get(SEARCH_VARIABLE, "")
    folders = [Path(entry).expanduser() for entry in named.split(os.pathsep) if entry]
    return [*folders, config_dir() / "models", Path(__file__).parent.parent / "bundles"]


def find_bundles() -> dict[str, FoundBundle]:
    """All bundles by name. Nothing is read yet, so a broken one hides no other."""
    found: dict[str, FoundBundle] = {}
    for folder in search_folders():
        try:
            entries = sorted(folder.iterdir()) if folder.is_dir() else []
        except OSError:
            continue  # a folder nobody may read holds no model for this user
        for entry in entries:
            if (entry / FILE_NAME).is_file():
                found.setdefault(entry.name, FoundBundle(entry.name, entry))
    return found


def find_bundle(name: str) -> Bundle:
    """The checked description of the model called `name`.

    Raises:
        BundleError: there is none of that name, or it is broken.
    """
    bundles = find_bundles()
    if name not in bundles:
        known = ", ".join(sorted(bundles)) or "none"
        raise BundleError(
            f"There is no model {name!r} (found: {known}). "
            f"Put its folder into {config_dir() / 'models'}, or name the folder around it in "
            f"{SEARCH_VARIABLE}."
        )
    return bundles[name].load()


def check_weights(bundle: Bundle) -> None:
    """Whether the weights are here, for families whose bundles do not hold them. Loads nothing.

    Raises:
        BundleError: they are not; the message says how to get them.
    """
    check = getattr(_family(bundle), "check_weights", None)
    if check is not None:
        check(bundle)


def weights_are_fixed(bundle: Bundle) -> bool:
    """Whether the weights are here in a form that cannot be chosen when they are loaded."""
    return bool(getattr(_family(bundle), "weights_are_fixed", lambda _: False)(bundle))


def has_large_products(bundle: Bundle) -> bool:
    """Whether the family multiplies matrices large enough to share among threads."""
    return bool(getattr(_family(bundle), "LARGE_PRODUCTS", False))


def load_model(bundle: Bundle, precision: str = PRECISIONS[0]) -> tuple[Model, StyleEncoder | None]:
    """Loads weights. Any thread; the inference thread then owns the model.

    The family's module in this package does it: `bandmate.models.<family>.load`. It is imported
    here and not before, so that MLX is only there where a network is really run.

    Args:
        precision: one of PRECISIONS, the form of the language model's weights.

    Returns:
        The model, and its style encoder if it follows styles.

    Raises:
        BundleError: the weights do not fit the description, or cannot be read.
    """
    try:
        model, encoder = _family(bundle).load(bundle, precision)
    except BundleError:
        raise
    except Exception as error:  # whatever broken weights lead to, in whichever library
        log.exception("%s cannot be loaded", bundle.path)
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(
            f"{bundle.path}: the model cannot be loaded ({detail}). Get the bundle again."
        ) from error
    return model, encoder


def _family(bundle: Bundle) -> ModuleType:
    module = f"{__package__}.{bundle.family}"
    if importlib.util.find_spec(module) is None:
        raise BundleError(f"This Bandmate cannot run models of the family {bundle.family!r} yet.")
    return importlib.import_module(module)
