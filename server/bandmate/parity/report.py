# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the errors of one file's arrays."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FLOAT32_TOLERANCE = 1e-4  # relative to an array's largest value
# Rounding of 8-bit mantissas builds up over layers and differs between back ends.
BFLOAT16_TOLERANCE = 4e-2
INFINITE = sys.float_info.max  # which JSON can write, unlike infinity
MISMATCH = 1.0  # the error of integers that are not all equal


@dataclass
class FileReport:
    """What one file's checks found.

    Attributes:
        tolerance: largest error allowed.
        errors: array name -> largest error, relative to the array's largest value.
        failure: why the file could not be checked to its end, or "".
    """

    tolerance: float
    errors: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def worst(self) -> float:
        return max(self.errors.values(), default=INFINITE if self.failure else 0.0)

    @property
    def passed(self) -> bool:
        """Something was compared, and nothing was too far off."""
        return bool(self.errors) and not self.failure and self.worst <= self.tolerance

    def close(self, name: str, ours: ArrayLike, theirs: ArrayLike) -> None:
        """Compares numbers. Arrays of different shapes, empty ones, or such with NaN on either side
        are infinitely far apart."""
        a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        if a.shape != b.shape or not a.size or not np.isfinite([a, b]).all():
            error = INFINITE
        else:
            scale = max(float(np.abs(b).max(initial=0)), 1e-9)
            error = float(np.abs(a - b).max(initial=0)) / scale
        self._note(name, error)

    def equal(self, name: str, ours: ArrayLike, theirs: ArrayLike, within: int = 0) -> None:
        """Compares integers, which may differ by `within`."""
        a, b = np.asarray(ours, np.int64), np.asarray(theirs, np.int64)
        same = a.shape == b.shape and a.size > 0 and int(np.abs(a - b).max(initial=0)) <= within
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
            **({"failure": self.failure} if self.failure else {}),
        }
