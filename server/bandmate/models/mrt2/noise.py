# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise that the text-to-audio mapper takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mapper_noise(seed: int, width: int) -> NDArray[np.float32]:
    """Standard normal noise [width] by NumPy's legacy generator, as the reference draws it."""
    return np.random.RandomState(seed).randn(width).astype(np.float32)
