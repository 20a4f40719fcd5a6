# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of the right shapes and sensible sizes that mean nothing: for speed and loading tests."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import mlx.core as mx

GAIN = 0.5  # below 1, so that nothing overflows however deep the model


def random_tensors(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, mx.array]:
    """Float32 tensors of the given shapes, made when evaluated.

    Norm scales are 1 and biases 0; kernels are normal with a spread by their input's size.
    """
    key = mx.random.key(seed)
    out = {}
    for name, shape in shapes.items():
        key, own = mx.random.split(key)
        if name.endswith("/scale"):
            out[name] = mx.ones(shape)
        elif name.endswith(("/bias", "per_dim_scale")):
            out[name] = mx.zeros(shape)
        else:
            # Output projections are stored outputs first, all other kernels outputs last.
            inputs = prod(shape[1:]) if "output_projection" in name else prod(shape[:-1])
            spread = 1.0 if "embedding" in name else GAIN / inputs**0.5
            out[name] = spread * mx.random.normal(shape, key=own)
    return out
