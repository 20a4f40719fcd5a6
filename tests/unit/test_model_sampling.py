# SPDX-License-Identifier: GPL-3.0-or-later
"""Picking codes near the mean of what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.models.depthformer.sampling import FREE_RISE, pick_codes, pick_near_mean  # noqa: E402

# One quiet code, and four loud ones that lie near each other and share a larger chance.
VALUES = np.array([[0.0, 0.0], [9.0, 1.0], [9.0, -1.0], [10.0, 0.0], [9.1, 0.0]], np.float32)
LEVELS = VALUES[:, 0]
CHANCES = np.array([0.3, 0.17, 0.17, 0.17, 0.19], np.float32)


def pick(
    temperature: float,
    noise: np.ndarray | None = None,
    top_k: int = 5,
    last: int = -1,
    hold: float = 1.0,
    rise: float = FREE_RISE,
) -> int:
    noise = np.zeros(5, np.float32) if noise is None else noise.astype(np.float32)
    code = pick_near_mean(
        mx.array(np.log(CHANCES))[None],
        mx.array(noise)[None],
        mx.array([temperature]),
        mx.array([top_k], mx.int32),
        mx.array(VALUES),
        mx.array(LEVELS),
        mx.array([last], mx.int32),
        mx.array([hold]),
        mx.array([rise]),
    )
    return int(code.item())


def test_many_loud_codes_outweigh_the_likeliest_one():
    assert CHANCES.argmax() == 0
    assert pick(0.0) == 4  # near the mean of all five


def test_only_the_likeliest_is_left_at_top_k_1():
    assert pick(0.0, top_k=1) == 0


def test_the_last_code_is_kept_while_it_is_near_enough():
    # The mean lies at 6.5 or so: 2.6 from the nearest code, 3.5 from code 3.
    assert pick(0.0, last=3, hold=1.5) == 4
    assert pick(0.0, last=3, hold=3.0) == 3
    assert pick(0.0, last=0, hold=3.0) == 4


def test_a_code_is_no_louder_than_the_last_but_as_far_as_the_mean_is():
    # The mean lies at 6.5 or so. Code 0 is at 0, code 4 at 9.1, the two before it at 9.
    assert pick(0.0, last=0, rise=-2.55) in (1, 2), "9.1 is more than 6.5 and 2.55"
    assert pick(0.0, last=0, rise=-2.7) == 4
    assert pick(0.0, last=0, rise=1.0) == 0, "nothing but the last code is so quiet"
    assert pick(0.0, last=4, rise=1.0) == 4, "what is as loud as the last one may come"
    assert pick(0.0, last=3, rise=1.0) == 4
    assert pick(0.0, last=-1, rise=1.0) == 4, "nothing was before"


@pytest.mark.parametrize("seed", range(20))
def test_at_full_temperature_a_code_is_drawn(seed):
    noise = np.random.default_rng(seed).gumbel(size=5)
    drawn = pick_codes(
        mx.array(np.log(CHANCES))[None],
        mx.array(noise.astype(np.float32))[None],
        mx.array([1.0]),
        mx.array([5], mx.int32),
    )
    scores = np.sort(np.log(CHANCES) + noise)
    if scores[-1] - scores[-2] > 0.4:  # nearer ones still mix a little
        assert pick(1.0, noise) == int(drawn.item())
