# SPDX-License-Identifier: GPL-3.0-or-later
"""Session states as named plain arrays, and back: for files, and the same for every device.

A tree of MLX and numpy arrays becomes a flat dict; bfloat16, which numpy lacks, goes as float32 and
comes back exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map_with_path
from numpy.typing import NDArray

from bandmate.models.interface import StateError

Arrays = dict[str, NDArray[Any]]


def to_arrays(tree: Any, prefix: str) -> Arrays:
    """The leaves of a tree by their path below `prefix`. What is already numpy is not copied."""
    arrays: Arrays = {}

    def take(path: str, leaf: Any) -> Any:
        arrays[f"{prefix}.{path}"] = _plain(leaf)
        return leaf

    tree_map_with_path(take, tree)
    return arrays


def check_arrays(arrays: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]]) -> None:
    """Compares names, shapes and types with those of a fresh state.

    Raises:
        StateError: an array is missing, extra, misshapen or of another type.
    """
    for name in sorted(wanted.keys() | arrays.keys()):
        if name not in arrays:
            raise StateError(f"The state's array '{name}' is missing.")
        if name not in wanted:
            raise StateError(f"The state's array '{name}' is not one of this model.")
        have, want = arrays[name], wanted[name]
        if have.shape != want.shape:
            raise StateError(
                f"The state's array '{name}' has shape {list(have.shape)}, "
                f"wanted {list(want.shape)}."
            )
        if have.dtype != want.dtype:
            raise StateError(f"The state's array '{name}' is {have.dtype}, wanted {want.dtype}.")


def from_arrays(arrays: Mapping[str, NDArray[Any]], fresh: Any, prefix: str) -> Any:
    """A tree like `fresh` that holds the values of checked `arrays`."""

    def fill(path: str, leaf: Any) -> Any:
        value = arrays[f"{prefix}.{path}"]
        if isinstance(leaf, np.ndarray):
            return np.ascontiguousarray(value).reshape(leaf.shape)
        return mx.array(value).astype(leaf.dtype)

    return tree_map_with_path(fill, fresh)


def _plain(leaf: Any) -> NDArray[Any]:
    if isinstance(leaf, mx.array):
        return np.array(leaf.astype(mx.float32) if leaf.dtype == mx.bfloat16 else leaf)
    return np.asarray(leaf)
