# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right: what is measured of a sound is what its mid signal is given back."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.models.pico.stereo import StereoField, region_matrix, stereo_levels

BINS, REGIONS = 1441, 16
CENTRES = np.linspace(0, 990, 384)


@pytest.fixture(scope="module")
def field() -> StereoField:
    return StereoField(CENTRES, BINS, REGIONS)


def spectrum(hops: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (hops, BINS)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def levels(pan: float, width: float, hops: int) -> np.ndarray:
    return np.tile(np.array([pan, width], np.float32), (hops, REGIONS, 1))


@pytest.mark.parametrize(("pan", "width"), [(0.5, 0.6), (0.7, 0.75), (0.2, 0.9), (0.5, 0.0)])
def test_the_field_that_is_given_is_the_one_measured(field, pan, width):
    mid = spectrum(400)
    side = field.side(mid, levels(pan, width, 400))
    found = stereo_levels(mid, side, region_matrix(CENTRES, BINS, REGIONS)).mean(axis=0)
    np.testing.assert_allclose(found[..., 0], pan, atol=0.02)
    np.testing.assert_allclose(found[..., 1], width, atol=0.03)


def test_the_middle_is_mono(field):
    mid = spectrum(4)
    assert np.abs(field.side(mid, np.tile(field.middle, (4, 1, 1)))).max() == 0


def test_pan_to_the_left_makes_the_left_louder(field):
    mid = spectrum(50)
    side = field.side(mid, levels(0.75, 0.5, 50))
    left, right = np.square(np.abs(mid + side)).sum(), np.square(np.abs(mid - side)).sum()
    assert 10 * np.log10(left / right) == pytest.approx(9.0, abs=0.7)
