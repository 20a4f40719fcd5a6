# SPDX-License-Identifier: GPL-3.0-or-later
"""Magenta RealTime 2: the official models on top of the depthformer."""

from __future__ import annotations

from bandmate.models.bundle import Bundle
from bandmate.models.interface import Model, StyleEncoder
from bandmate.models.mrt2.files import find_checkpoint


def check_weights(bundle: Bundle) -> None:
    """Raises BundleError if the official files are not here. Does not import MLX."""
    find_checkpoint(bundle)


def load(bundle: Bundle) -> tuple[Model, StyleEncoder | None]:
    """Loads a bundle of this family (see `bandmate.models.registry.load_model`)."""
    from bandmate.models.mrt2 import loading

    return loading.load(bundle), None
