# SPDX-License-Identifier: GPL-3.0-or-later
"""Residual vector quantisation: a vector as a sum of one code vector from each codebook."""

from __future__ import annotations

import mlx.core as mx


class Quantizer:
    """The codebooks, [levels, codes, width]."""

    def __init__(self, codebooks: mx.array):
        self._codebooks = mx.contiguous(codebooks.astype(mx.float32))
        self._squares = self._codebooks.square().sum(axis=-1)
        mx.eval(self._codebooks, self._squares)

    @property
    def levels(self) -> int:
        return self._codebooks.shape[0]

    def encode(self, vectors: mx.array, levels: int | None = None) -> mx.array:
        """[n, width] -> codes int32 [n, levels]: at each level the nearest to what is left."""
        left = vectors
        codes = []
        for level in range(self.levels if levels is None else levels):
            book = self._codebooks[level]
            distance = left.square().sum(axis=-1, keepdims=True) - 2 * (left @ book.T)
            code = mx.argmin(distance + self._squares[level], axis=-1)
            codes.append(code.astype(mx.int32))
            left = left - book[code]
        return mx.stack(codes, axis=-1)

    def decode(self, codes: mx.array) -> mx.array:
        """Codes int32 [..., levels] -> vectors [..., width]; a prefix of the levels is enough."""
        levels = mx.arange(codes.shape[-1])
        return self._codebooks[levels, codes].sum(axis=-2)
