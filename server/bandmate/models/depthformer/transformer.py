# SPDX-License-Identifier: GPL-3.0-or-later
"""Transformer layers for one position at a time: attention over caches, feed-forward, norms.

Nothing here knows positions: there is no positional encoding, order reaches the model only through
what the caches hold and what has been masked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mlx.core as mx

from bandmate.models.depthformer.linear import Held, Matrix

EPSILON = 1e-6
# The learned per-dimension scale is normalised so that a parameter of zero means 1/sqrt(d).
SOFTPLUS_NORM = 1.442695041


def rms_norm(x: mx.array, scale: mx.array) -> mx.array:
    """Root-mean-square norm over the last axis, statistics in float32."""
    return mx.fast.rms_norm(x, scale, EPSILON)


def layer_norm(x: mx.array, scale: mx.array, bias: mx.array) -> mx.array:
    """Layer norm over the last axis, computed in float32, result in x's type."""
    wide = x.astype(mx.float32)
    return mx.fast.layer_norm(
        wide, scale.astype(mx.float32), bias.astype(mx.float32), EPSILON
    ).astype(x.dtype)


def gelu(x: mx.array) -> mx.array:
    """The tanh approximation of GELU."""
    return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def query_scale(per_dim_scale: mx.array, dtype: mx.Dtype) -> mx.array:
    """The factor [head_dim] on queries: softplus of the learned vector over sqrt(head_dim)."""
    learned = per_dim_scale.astype(dtype)
    norm = SOFTPLUS_NORM / math.sqrt(learned.shape[-1])
    return (norm * mx.log1p(mx.exp(learned))).astype(dtype)


@dataclass
class Attention:
    """The projections of one attention. `n` rows, `H` heads, `d` head width.

    Attributes:
        pre, post: norm scales [width].
        projection: what is computed from the normed input: queries, keys and values stacked
            ([3 H d, width]) in self-attention, queries alone ([H d, width]) in cross-attention.
        source: keys and values stacked ([2 H d, source width]) in cross-attention.
        scale: query factor [d], or None where it is folded into `projection`.
        output: [width, H d].
        sink_key, sink_value: learned position seen by every query, [H, 1, d], or None. The key
            is already divided by the query factor: a sink's logit uses the unscaled query.
    """

    heads: int
    head_dim: int
    pre: mx.array
    post: mx.array
    projection: Matrix
    source: Matrix | None
    scale: mx.array | None
    output: Matrix
    sink_key: mx.array | None = None
    sink_value: mx.array | None = None

    def project(
        self, x: mx.array, source: mx.array | None = None
    ) -> tuple[mx.array, mx.array, mx.array]:
        """Query, key and value of one position, [n, H, 1, d] each.

        Args:
            x: [n, width].
            source: [n, source width], what a cross-attention looks at; None in self-attention.
        """
        parts = [self._split(self.projection.product(rms_norm(x, self.pre)))]
        if self.source is not None and source is not None:
            parts.append(self._split(self.source.product(source)))
        query, key, value = [part[:, i] for part in parts for i in range(part.shape[1])]
        return query if self.scale is None else query * self.scale, key, value

    def _split(self, projected: mx.array) -> mx.array:
        parts = projected.shape[-1] // (self.heads * self.head_dim)
        return projected.reshape(-1, parts, self.heads, 1, self.head_dim)

    def attend(
        self, x: mx.array, query: mx.array, keys: mx.array, values: mx.array, mask: mx.array | None
    ) -> mx.array:
        """Adds the attention's result to x [n, width].

        Args:
            query: [n, H, 1, d].
            keys, values: [n, H, positions, d].
            mask: float32, 0 where visible and -inf where not, [n, 1, 1, positions].
        """
        logits = (query @ keys.swapaxes(-1, -2)).astype(mx.float32)
        if mask is not None:
            logits = logits + mask
        weights = mx.softmax(logits, axis=-1).astype(values.dtype)
        context = (weights @ values).reshape(-1, self.heads * self.head_dim)
        return x + rms_norm(self.output.product(context), self.post)


@dataclass
class FeedForward:
    """Two layers with a GELU between; norms before and after."""

    pre: mx.array
    post: mx.array
    first: Matrix
    first_bias: mx.array
    second: Matrix
    second_bias: mx.array

    def __call__(self, x: mx.array) -> mx.array:
        """x [n, width] -> x plus the layers' result."""
        hidden = gelu(self.first.product(rms_norm(x, self.pre)) + self.first_bias)
        return x + rms_norm(self.second.product(hidden) + self.second_bias, self.post)


@dataclass
class Layer:
    """One transformer layer; `cross` is None in the depth decoder."""

    attention: Attention
    cross: Attention | None
    feed_forward: FeedForward

    def named_arrays(self) -> dict[str, Held]:
        """The layer's matrices and vectors by name; `scale` only where it is not folded in."""
        out: dict[str, Held] = {
            "ffn.pre": self.feed_forward.pre,
            "ffn.post": self.feed_forward.post,
            "ffn.first": self.feed_forward.first.held,
            "ffn.first_bias": self.feed_forward.first_bias,
            "ffn.second": self.feed_forward.second.held,
            "ffn.second_bias": self.feed_forward.second_bias,
        }
        for name, part in (("self", self.attention), ("cross", self.cross)):
            if part is None:
                continue
            out[f"{name}.pre"], out[f"{name}.post"] = part.pre, part.post
            out[f"{name}.projection"] = part.projection.held
            out[f"{name}.output"] = part.output.held
            if part.scale is not None:
                out[f"{name}.scale"] = part.scale
            if part.source is not None:
                out[f"{name}.source"] = part.source.held
        return out


def push(cache: mx.array, new: mx.array) -> mx.array:
    """Drops the oldest position of a sink-first cache and appends `new`.

    Args:
        cache: [n, H, 1 + W, d]: the sink, then W positions, oldest first.
        new: [n, H, 1, d].

    Returns:
        [n, H, 1 + W, d].
    """
    return mx.concatenate([cache[:, :, :1], cache[:, :, 2:], new], axis=2)
