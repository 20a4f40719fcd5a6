# SPDX-License-Identifier: GPL-3.0-or-later
"""Safetensors files, read strictly: every tensor that is wanted, none that is not."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlx.core as mx

from bandmate.models.bundle import BundleError

FLOAT_TYPES = (mx.float32, mx.bfloat16, mx.float16)
_LARGEST_HEADER = 100_000_000  # bytes, the limit of the format itself


def load_tensors(path: Path) -> dict[str, mx.array]:
    """The tensors of a safetensors file, by name; read from disk when evaluated.

    Raises:
        BundleError: the file is missing, is not safetensors or is cut short.
    """
    _check_file(path)
    try:
        loaded = mx.load(str(path), format="safetensors")
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{path} is not a readable safetensors file ({error}).") from error
    assert isinstance(loaded, dict)
    return loaded


def _check_file(path: Path) -> None:
    """Refuses what would only fail later, while tensors are read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
                raise BundleError(f"{path} is not a safetensors file. Get it again.")
            header = json.loads(file.read(length))
            ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BundleError(f"{path} is not a safetensors file. Get it again.") from error
    if 8 + length + max(ends, default=0) != size:
        raise BundleError(f"{path} is cut short or has bytes too many. Get it again.")


def checked_tensors(
    tensors: Mapping[str, mx.array], wanted: Mapping[str, Sequence[int]], source: str
) -> dict[str, mx.array]:
    """Exactly the wanted tensors.

    Args:
        tensors: what a file holds.
        wanted: name -> shape.
        source: the file's name for error messages.

    Raises:
        BundleError: a tensor is missing, is not wanted, or has another shape or type. The message
            names the tensor and both shapes.
    """
    for name, shape in wanted.items():
        if name not in tensors:
            raise BundleError(f"{source}: tensor '{name}' is missing, wanted shape {list(shape)}.")
        found = tensors[name]
        if tuple(found.shape) != tuple(shape):
            raise BundleError(
                f"{source}: tensor '{name}' has shape {list(found.shape)}, wanted {list(shape)}."
            )
        if found.dtype not in FLOAT_TYPES:
            raise BundleError(f"{source}: tensor '{name}' has type {found.dtype}, wanted a float.")
    extra = sorted(set(tensors) - set(wanted))
    if extra:
        raise BundleError(
            f"{source}: tensor '{extra[0]}' of shape {list(tensors[extra[0]].shape)} does not "
            f"belong to this model ({len(extra)} such). Is it the file of another model?"
        )
    return dict(tensors)
