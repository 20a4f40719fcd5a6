# SPDX-License-Identifier: GPL-3.0-or-later
"""Magenta RealTime 2: the official models on top of the depthformer."""

from __future__ import annotations

from bandmate.models.bundle import Bundle
from bandmate.models.interface import Model, StyleEncoder
from bandmate.models.mrt2.exported_files import find_exported
from bandmate.models.mrt2.files import find_checkpoint, official_files

LARGE_PRODUCTS = True  # wide layers, and a convolutional codec


def check_weights(bundle: Bundle) -> None:
    """Raises BundleError if the official files are not here. Does not import MLX."""
    if find_exported(bundle) is None:
        find_checkpoint(bundle)


def weights_are_fixed(bundle: Bundle) -> bool:
    """Whether the weights come in a form that cannot be chosen any more."""
    return find_exported(bundle) is not None


def load(bundle: Bundle, precision: str) -> tuple[Model, StyleEncoder | None]:
    """Loads a bundle of this family (see `bandmate.models.registry.load_model`)."""
    from bandmate.models.depthformer.linear import WeightFormat
    from bandmate.models.mrt2 import exported, loading
    from bandmate.models.mrt2.musiccoca import MusicCoCa

    files = find_exported(bundle)
    model: Model
    if files is None:
        model = loading.load(bundle, WeightFormat.named(precision))
    else:
        model = exported.load_exported(bundle, *files)
    assert bundle.conditioning is not None
    assert bundle.depthformer is not None
    encoder = MusicCoCa(
        official_files().musiccoca,
        bundle.depthformer.style_embedding_width,
        bundle.conditioning.style_levels,
        active_levels=bundle.styles.get("active_levels"),
    )
    return model, encoder
