# SPDX-License-Identifier: GPL-3.0-or-later
"""A style made of sound, as text that a project keeps: model, version and the embedding."""

from __future__ import annotations

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import Bundle

DTYPE = np.dtype("<f4")


def to_text(bundle: Bundle, embedding: NDArray[np.float32]) -> str:
    """The text of an embedding [dim]."""
    packed = base64.b64encode(np.asarray(embedding, DTYPE).tobytes()).decode()
    return f"{bundle.name}:{bundle.version}:{packed}"


def from_text(bundle: Bundle, dim: int, text: str) -> NDArray[np.float32] | None:
    """The embedding [dim]; None if it is of another model or version, or is damaged."""
    name, _, rest = text.partition(":")
    version, _, packed = rest.rpartition(":")
    if (name, version) != (bundle.name, bundle.version):
        return None
    try:
        data = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) != dim * DTYPE.itemsize:
        return None
    embedding = np.frombuffer(data, DTYPE).astype(np.float32)
    return embedding if np.isfinite(embedding).all() else None
