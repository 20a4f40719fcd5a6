# SPDX-License-Identifier: GPL-3.0-or-later
"""Matrices and tables in the format they are held in: plain or quantised."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

Held = mx.array | tuple[mx.array, mx.array, mx.array]


@dataclass(frozen=True)
class WeightFormat:
    """How weights are held and which type activations have.

    Attributes:
        dtype: of activations and of whatever is not quantised.
        bits: 0 for plain matrices, else bits per element (MLX affine quantisation).
    """

    dtype: mx.Dtype
    bits: int = 0

    @classmethod
    def named(cls, precision: str) -> WeightFormat:
        """The form of that name: float32, bfloat16, int8 or int4. Raises KeyError."""
        return {
            "float32": cls(mx.float32),
            "bfloat16": cls(mx.bfloat16),
            "int8": cls(mx.bfloat16, 8),
            "int4": cls(mx.bfloat16, 4),
        }[precision]

    @property
    def group(self) -> int:
        """Elements that share one scale, along a matrix's input axis."""
        return 32 if self.bits == 4 else 64


class Matrix:
    """A matrix [out, in], plain or quantised; also used as an embedding table."""

    def __init__(self, values: mx.array, form: WeightFormat):
        """Takes `values` [out, in] of any float type and holds it in `form`."""
        values = values.astype(form.dtype)
        self.shape = tuple(values.shape)
        self._form = form
        self._scales: mx.array | None = None
        self._biases: mx.array | None = None
        if form.bits and values.shape[-1] % form.group == 0:
            self._values, self._scales, self._biases = mx.quantize(
                values, group_size=form.group, bits=form.bits
            )
        else:
            self._values = mx.contiguous(values)

    @property
    def held(self) -> Held:
        """The values [out, in], or what stands for them: packed, scales and biases."""
        if self._scales is None or self._biases is None:
            return self._values
        return self._values, self._scales, self._biases

    def arrays(self) -> list[mx.array]:
        """What is held, for evaluation and for counting bytes."""
        return [a for a in (self._values, self._scales, self._biases) if a is not None]

    def product(self, x: mx.array) -> mx.array:
        """x [..., in] -> [..., out]."""
        if self._scales is None:
            return x @ self._values.T
        return mx.quantized_matmul(
            x,
            self._values,
            scales=self._scales,
            biases=self._biases,
            transpose=True,
            group_size=self._form.group,
            bits=self._form.bits,
        )

    def rows(self, ids: mx.array) -> mx.array:
        """Rows ids [...] -> [..., width], in the activation type."""
        if self._scales is None or self._biases is None:
            return self._values[ids]
        return mx.dequantize(
            self._values[ids],
            self._scales[ids],
            self._biases[ids],
            group_size=self._form.group,
            bits=self._form.bits,
        )
