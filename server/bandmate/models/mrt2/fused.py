# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints may hold an attention's projections in one tensor; this takes them apart."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx

_PARTS = {
    "query_key_value_projection": ("query", "key", "value"),
    "key_value_projection": ("key", "value"),
}
_SHARED = "shared_key_value_projection"


def separated(tensors: Mapping[str, mx.array]) -> dict[str, mx.array]:
    """The same tensors with one kernel [in, heads, d] for each of query, key and value.

    Fused kernels are [in, parts, heads, d]; a shared one is both key and value. A fused kernel of
    another shape is left alone, and is then refused by name when the tensors are checked.
    """
    out = {}
    for name, tensor in tensors.items():
        folder, _, last = name.removesuffix("/kernel").rpartition("/")
        parts = _PARTS.get(last, ())
        if parts and tensor.ndim == 4 and tensor.shape[1] == len(parts):
            for index, part in enumerate(parts):
                out[f"{folder}/{part}_projection/kernel"] = tensor[:, index]
        elif last == _SHARED and tensor.ndim == 3:
            for part in ("key", "value"):
                out[f"{folder}/{part}_projection/kernel"] = tensor
        else:
            out[name] = tensor
    return out
