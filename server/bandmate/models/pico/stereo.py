# SPDX-License-Identifier: GPL-3.0-or-later
"""How left and right differ: measured in regions of the spectrum, and given back to a mid signal.

For each region two numbers: pan, the energy of left over right, and width, the energy of
side = (L - R) / 2 over mid = (L + R) / 2. Side is made of mid: a part in phase, which pans, and a
part a quarter of a turn off, ahead in one narrow band and behind in the next, which widens. Both
follow from the two numbers: with side = a mid + b mid', E(L) / E(R) = (1 + W + 2a) / (1 + W - 2a)
and W = a^2 + b^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

PAN_DB = 18.0  # left over right, either way
WIDTH_LOW_DB, WIDTH_HIGH_DB = -30.0, 6.0  # side over mid
NARROWEST = 0.02  # of 0..1: a width under it is none
NARROW_BANDS = 48  # in which widening turns one way, then the other
# Of a code's distance: what its pan and its width weigh where it is loudest, and where nothing is.
# Chosen on five pairs of instruments apart: left over right is off by 1.4 dB, unweighed by 2.25.
WIDTH_WEIGHT, LEAST_WEIGHT = 0.3, 1e-4
QUIET_POWER = 1e-8  # of a region: under it everything is in the middle


def region_matrix(centres: NDArray[np.float64], bins: int, regions: int) -> Floats:
    """Sums of bins [bins, regions]: about equal steps of the ERB scale up to the last band."""
    hertz_per_bin = 24_000.0 / (bins - 1)
    scale = np.log1p(np.arange(bins) * hertz_per_bin * 0.00437)
    top = np.log1p(centres[-1] * hertz_per_bin * 0.00437)
    region = np.minimum((scale / top * regions).astype(int), regions - 1)
    # Few bins lie in the lowest regions of equal width: every region has at least two of its own
    starts = np.searchsorted(region, np.arange(regions))
    starts = np.maximum(starts, 1 + 2 * np.arange(regions))
    edges = [*starts, min(bins, int(centres[-1]) + 1)]
    matrix = np.zeros((bins, regions), np.float32)
    for number in range(regions):
        matrix[edges[number] : edges[number + 1], number] = 1
    return matrix


def stereo_levels(
    mid: NDArray[np.complex64], side: NDArray[np.complex64], regions: Floats
) -> Floats:
    """How left and right differ in each region.

    Args:
        mid, side: spectra [hops, bins] of (L + R) / 2 and (L - R) / 2; a full-scale sine is 1.
        regions: from `region_matrix`.

    Returns:
        [hops, regions, 2] in 0..1: pan, left over right energy, -18 to 18 dB (0.5 is the middle);
        width, side over mid energy, -30 to 6 dB. Silence is in the middle and has no width.
    """
    cross = (mid.real * side.real + mid.imag * side.imag) @ regions
    m = (np.square(mid.real) + np.square(mid.imag)) @ regions
    s = (np.square(side.real) + np.square(side.imag)) @ regions
    left = np.maximum(m + s + 2 * cross, 0) + QUIET_POWER
    right = np.maximum(m + s - 2 * cross, 0) + QUIET_POWER
    pan = 10 * np.log10(left / right)
    width = 10 * np.log10((s + QUIET_POWER * 10 ** (WIDTH_LOW_DB / 10)) / (m + QUIET_POWER))
    pan = np.clip(pan / (2 * PAN_DB) + 0.5, 0, 1)
    width = np.clip((width - WIDTH_LOW_DB) / (WIDTH_HIGH_DB - WIDTH_LOW_DB), 0, 1)
    return np.stack([pan, width], axis=-1).astype(np.float32)


def loudness_matrix(centres: NDArray[np.float64], bins: int, regions: int) -> Floats:
    """Sums of the power of bands to that of regions [bands, regions]."""
    borders = (centres[1:] + centres[:-1]) / 2
    nearest = np.searchsorted(borders, np.arange(bins))
    matrix = np.zeros((len(centres), regions), np.float32)
    np.add.at(matrix, nearest, region_matrix(centres, bins, regions))
    return matrix


def place_weights(power: Floats) -> Floats:
    """How much the place of each region matters [..., regions, 2], at most 1.

    Args:
        power: of the regions [..., regions].
    """
    share = power / (power.max(axis=-1, keepdims=True) + 1e-12) + LEAST_WEIGHT
    return (share[..., None] * np.array([1.0, WIDTH_WEIGHT])).astype(np.float32)


class StereoField:
    """Tables for one spectrum; from levels by region to factors by bin."""

    def __init__(
        self, centres: NDArray[np.float64], bins: int, regions: int, heard: int | None = None
    ) -> None:
        """
        Args:
            centres: of the bands, in bins.
            bins: of a whole spectrum.
            heard: bins of the spectra that `side` is given; None: all.
        """
        matrix = region_matrix(centres, bins, regions)
        at = np.arange(bins)
        middles = (at @ matrix) / matrix.sum(axis=0)
        self._spread = np.stack(
            [np.interp(at[:heard], middles, unit) for unit in np.eye(regions)], dtype=np.float32
        )
        narrow = region_matrix(centres, bins, NARROW_BANDS) @ np.arange(NARROW_BANDS)
        self._turn = np.where(narrow[:heard] % 2 == 0, 1j, -1j).astype(np.complex64)
        self.middle = np.tile(np.array([0.5, 0.0], np.float32), (regions, 1))

    def side(self, mid: NDArray[np.complex64], levels: Floats) -> NDArray[np.complex64]:
        """Spectra of the side, from mid [..., hops, bins] and levels [..., hops, regions, 2]."""
        ratio = 10 ** ((levels[..., 0] - 0.5) * (2 * PAN_DB / 10))
        decibels = levels[..., 1] * (WIDTH_HIGH_DB - WIDTH_LOW_DB) + WIDTH_LOW_DB
        width = np.where(levels[..., 1] < NARROWEST, 0.0, 10 ** (decibels / 10))
        # A sound that is only panned has this much side; codes may tell of less.
        width = np.maximum(width, ((np.sqrt(ratio) - 1) / (np.sqrt(ratio) + 1)) ** 2)
        pan = (1 + width) / 2 * (ratio - 1) / (ratio + 1)
        apart = np.sqrt(np.maximum(width - pan**2, 0))
        pan, apart = (x.astype(np.float32) @ self._spread for x in (pan, apart))
        return mid * (pan + self._turn * apart)
