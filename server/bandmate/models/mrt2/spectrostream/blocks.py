# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual blocks of the codec. Each takes and returns (array, its part of the state)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import mlx.core as mx

from bandmate.models.mrt2.spectrostream.convolution import Conv, OverlapAdd, TransposedConv
from bandmate.models.mrt2.spectrostream.spec import Block

Tensors = Mapping[str, mx.array]
States = list[mx.array]


EXP_LOWEST = -16.0  # exp of this is half a float32 step below 1; the negative side ends at -1
EXP_HALVINGS = 4
EXP_TERMS = 10


@mx.compile
def _expm1_scaled(x: mx.array) -> mx.array:
    """exp(x) - 1 for x in EXP_LOWEST..0: the series at x / 16, squared four times.

    Multiplications and additions only, which the compiler turns into vector instructions; a call
    of the exponential function for each element takes longer than the convolutions.
    """
    small = x * (1 / 2**EXP_HALVINGS)
    power = mx.full((), 1 / math.factorial(EXP_TERMS - 1), x.dtype)
    for term in range(EXP_TERMS - 2, 0, -1):
        power = power * small + 1 / math.factorial(term)
    value = power * small  # exp(small) - 1
    for _ in range(EXP_HALVINGS):
        value = value * (value + 2)  # (1 + v) ** 2 - 1: keeps small results exact
    return value


def elu(x: mx.array) -> mx.array:
    """x where positive, else exp(x) - 1."""
    negative = mx.maximum(mx.minimum(x, 0), EXP_LOWEST)
    return mx.maximum(x, 0) + _expm1_scaled(negative)


class Pointwise:
    """A 1x1 convolution as a product, on the last axis."""

    def __init__(self, tensors: Tensors, name: str):
        kernel = tensors[f"{name}/conv/kernel"].astype(mx.float32)
        self._matrix = mx.contiguous(kernel[0, 0].T)
        self._bias = tensors[f"{name}/conv/bias"].astype(mx.float32)
        mx.eval(self._matrix, self._bias)

    def __call__(self, x: mx.array) -> mx.array:
        return x @ self._matrix.T + self._bias


class DownBlock:
    """Encoder block: a 3x3 convolution, then a strided one; the shortcut averages."""

    def __init__(self, tensors: Tensors, block: Block):
        self._first = Conv(tensors, f"{block.name}/conv2d_3x3")
        name = f"{block.name}/conv2d_{block.kernel_name}_a"
        self._second = Conv(tensors, name, block.stride)
        self._stride = block.stride
        self._shortcut = None
        if block.source != block.width:
            self._shortcut = Pointwise(tensors, f"{block.name}/shortcut_layer/conv1x1")

    def init_state(self, batch: int, bins: int) -> States:
        """State for inputs of `bins` frequency positions."""
        return [self._first.init_state(batch, bins), self._second.init_state(batch, bins)]

    def __call__(self, x: mx.array, states: States) -> tuple[mx.array, States]:
        """[batch, T, F, in] -> [batch, T / stride, F / stride, out]."""
        y, first = self._first(elu(x), states[0])
        y, second = self._second(elu(y), states[1])
        time, frequency = self._stride
        if self._stride != (1, 1):
            batch, frames, bins, channels = x.shape
            split = x.reshape(batch, frames // time, time, bins // frequency, frequency, channels)
            x = split.mean(axis=(2, 4))
        return y + (x if self._shortcut is None else self._shortcut(x)), [first, second]


class UpBlock:
    """Decoder block: a transposed convolution, then a 3x3 one; the shortcut repeats."""

    def __init__(self, tensors: Tensors, block: Block, overlap_add: bool = False):
        name = f"{block.name}/conv2dtranspose_{block.kernel_name}"
        kind = OverlapAdd if overlap_add else TransposedConv
        self._first = kind(tensors, name, block.stride)
        self._second = Conv(tensors, f"{block.name}/conv2d_3x3")
        self._stride = block.stride
        self._shortcut = None
        if block.source != block.width:
            self._shortcut = Pointwise(tensors, f"{block.name}/shortcut_layer/conv1x1")

    def init_state(self, batch: int, bins: int) -> States:
        """State for inputs of `bins` frequency positions."""
        wide = bins * self._stride[1]
        return [self._first.init_state(batch, bins), self._second.init_state(batch, wide)]

    def __call__(self, x: mx.array, states: States) -> tuple[mx.array, States]:
        """[batch, T, F, in] -> [batch, T * stride, F * stride, out]."""
        y, first = self._first(elu(x), states[0])
        y, second = self._second(elu(y), states[1])
        x = x if self._shortcut is None else self._shortcut(x)
        time, frequency = self._stride
        batch, frames, bins, channels = x.shape
        wide = (batch, frames, time, bins, frequency, channels)
        x = mx.broadcast_to(x[:, :, None, :, None], wide)
        return y + x.reshape(batch, frames * time, bins * frequency, channels), [first, second]


class SameBlock:
    """Residual block that keeps its shape: two 3x3 convolutions."""

    def __init__(self, tensors: Tensors, first: str, second: str):
        self._first, self._second = Conv(tensors, first), Conv(tensors, second)

    def init_state(self, batch: int, bins: int) -> States:
        """State for inputs of `bins` frequency positions."""
        return [self._first.init_state(batch, bins), self._second.init_state(batch, bins)]

    def __call__(self, x: mx.array, states: States) -> tuple[mx.array, States]:
        """[batch, T, F, channels], same out."""
        y, first = self._first(elu(x), states[0])
        y, second = self._second(elu(y), states[1])
        return x + y, [first, second]
