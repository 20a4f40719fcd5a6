# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the errors of one file's arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FLOAT32_TOLERANCE = 1e-4  # relative to an array's largest value
# Rounding of 8-bit mantissas builds up over layers and differs between back ends.
BFLOAT16_TOLERANCE = 4e-2
MISMATCH = 1.0  # the error of integers that are not all equal


@dataclass
class FileReport:
    """What one file's checks found.

    Attributes:
        tolerance: largest error allowed.
        errors: array name -> largest error, relative to the array's largest value.
    """

    tolerance: float
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> float:
        return max(self.errors.values(), default=0.0)

    @property
    def passed(self) -> bool:
        """Something was compared, and nothing was too far off."""
        return bool(self.errors) and self.worst <= self.tolerance

    def close(self, name: str, ours: ArrayLike, theirs: ArrayLike) -> None:
        """Compares numbers. Arrays of different shapes, or with NaN, are infinitely far apart."""
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if a.shape != b.shape or not np.isfinite(a).all():
            error = float("inf")
        else:
            scale = max(float(np.abs(b).max(initial=0)), 1e-9)
            error = float(np.abs(a - b).max(initial=0)) / scale
        self._note(name, error)

    def equal(self, name: str, ours: ArrayLike, theirs: ArrayLike, within: int = 0) -> None:
        """Compares integers, which may differ by `within`."""
        a, b = np.asarray(ours, np.int64), np.asarray(theirs, np.int64)
        same = a.shape == b.shape and int(np.abs(a - b).max(initial=0)) <= within
        self._note(name, 0.0 if same else MISMATCH)

    def _note(self, name: str, error: float) -> None:
        self.errors[name] = max(error, self.errors.get(name, 0.0))

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "worst": self.worst,
            "tolerance": self.tolerance,
            "passed": self.passed,
            "errors": self.errors,
        }
