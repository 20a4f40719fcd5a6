# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right: what is measured of a sound is what its mid signal is given back."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.models.pico.codec import MagnitudeCodec
from bandmate.models.pico.stereo import StereoField, region_matrix, stereo_levels
from bandmate.models.registry import find_bundle

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


def test_codes_tell_the_place_of_what_is_loud():
    codec = MagnitudeCodec.load(find_bundle("pico"))
    spec, encode = codec.spec, codec.encoder()
    synthesis = spec.synthesis
    decibels = 20 / np.log(10)
    edges = region_matrix(synthesis.band_centres(), synthesis.bins, synthesis.stereo_regions)
    rng = np.random.default_rng(7)
    off = []
    for loud in range(2, synthesis.stereo_regions):
        hertz = (edges[:, loud] @ np.arange(synthesis.bins)) / edges[:, loud].sum()
        band = int(np.abs(synthesis.band_centres() - hertz).argmin())
        features = np.tile(
            (synthesis.log_floors() - spec.log_low) / (spec.log_high - spec.log_low),
            (synthesis.hops_per_frame, 1),
        ).astype(np.float32)
        features[:, band] = 1 - 20 / decibels / (spec.log_high - spec.log_low)
        places = rng.uniform(0, 1, (synthesis.stereo_regions, 2)).astype(np.float32)
        told = codec._stereo(encode(features, places))
        off.append(abs(told[loud, 0] - places[loud, 0]))
    assert np.mean(off) < 0.1, np.mean(off)
