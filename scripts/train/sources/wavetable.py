# SPDX-License-Identifier: GPL-3.0-or-later
"""Periodic waves whose spectrum changes slowly: rows of single cycles, read between rows.

A row is made from the amplitudes of its partials, so nothing aliases, filters may be as sharp as
they like, and the pitch is exact.
"""

from __future__ import annotations

import numpy as np
from notes import SAMPLE_RATE
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CYCLE = 2048
TOP_HZ = 18_000.0


def partials(hertz: float) -> int:
    """How many harmonics of a tone are heard."""
    return int(np.clip(TOP_HZ / hertz, 1, CYCLE // 2 - 1))


def rows(spectra: NDArray[np.complex128]) -> Floats:
    """Single cycles [rows, CYCLE + 1] from partials [rows, harmonics], the fundamental first."""
    full = np.zeros((len(spectra), CYCLE // 2 + 1), np.complex64)
    full[:, 1 : spectra.shape[1] + 1] = spectra
    cycles = np.fft.irfft(full, axis=1) * (CYCLE / 2)
    return np.concatenate([cycles, cycles[:, :1]], axis=1).astype(np.float32)


def read(table: Floats, row: Floats | None, cycles: NDArray[np.float64]) -> Floats:
    """A wave [samples].

    Args:
        table: from `rows`.
        row: where between the rows each sample lies, [samples]; None stays in row 0.
        cycles: phase of each sample in cycles.
    """
    place = (cycles - np.floor(cycles)) * CYCLE
    index = place.astype(np.int32)
    part = (place - index).astype(np.float32)
    flat = table.reshape(-1)
    if row is None or len(table) == 1:
        low = flat[index]
        return low + part * (flat[index + 1] - low)
    row = np.clip(row, 0, len(table) - 1.001)
    first = row.astype(np.int32)
    share = (row - first).astype(np.float32)
    index += first * (CYCLE + 1)
    a = flat[index]
    a += part * (flat[index + 1] - a)
    index += CYCLE + 1
    b = flat[index]
    b += part * (flat[index + 1] - b)
    return a + share * (b - a)


def phase(hertz: float, samples: int, start: float = 0.0) -> NDArray[np.float64]:
    """Cycles of a steady tone from `start` on."""
    return start + np.arange(samples) * (hertz / SAMPLE_RATE)
