# SPDX-License-Identifier: GPL-3.0-or-later
"""The tensors of a depthformer checkpoint: their names, shapes and how they become layers.

Names and shapes are those of the official Magenta RealTime 2 checkpoints; the bundled model's
training exports to the same tree.
"""

from __future__ import annotations

from collections.abc import MutableMapping

import mlx.core as mx

from bandmate.models.bundle import ConditioningSpec, DepthformerSpec, TransformerSpec
from bandmate.models.depthformer.linear import Matrix, WeightFormat
from bandmate.models.depthformer.transformer import (
    Attention,
    FeedForward,
    Layer,
    query_scale,
)
from bandmate.models.depthformer.vocabulary import RESERVED, ConditioningLayout

PREFIX = "params/depthformer/"
_EMBEDDERS = "encoder/body/layers_1/branched_"
STYLE_TABLE = _EMBEDDERS + "mulan_embedder/mulan_embedder/mulan_dequantizer/embedding"
STYLE_ADAPTER = _EMBEDDERS + "mulan_embedder/mulan_embedder/depth_input_adapter/kernel"
REGULAR_TABLE = _EMBEDDERS + "regular_embedder/regular_embedder/embedding"
ENCODER_NORM = "encoder/body/encoder_ln/"
CODE_TABLE = "decoder/decoder_embedding/embedding/embedding"
TEMPORAL = "decoder/temporal_body/transformer/"
DEPTH = "decoder/depth_body/transformer/"
DEPTH_ADAPTER = "decoder/depth_body/depth_input_adapter/kernel"
DEPTH_PAST_ADAPTER = "decoder/depth_body/past_input_adapter/kernel"
DEPTH_NORM = "decoder/depth_body/final_ln/"
LOGITS = "decoder/depth_body/to_logits/"

Shapes = dict[str, tuple[int, ...]]


def target_vocabulary(spec: DepthformerSpec) -> int:
    """Rows of the code table: every code of every codebook, and the reserved ids."""
    return RESERVED + spec.codebooks * spec.codebook_size


def shapes(spec: DepthformerSpec, conditioning: ConditioningSpec) -> Shapes:
    """Every tensor of a checkpoint: full name -> shape."""
    layout = ConditioningLayout(conditioning)
    temporal, depth = spec.temporal, spec.depth
    vocabulary = target_vocabulary(spec)
    out: Shapes = {
        STYLE_TABLE: (layout.style_rows, spec.style_embedding_width),
        STYLE_ADAPTER: (spec.style_embedding_width, spec.encoder_width),
        REGULAR_TABLE: (layout.regular_rows, spec.encoder_width),
        ENCODER_NORM + "scale": (spec.encoder_width,),
        ENCODER_NORM + "bias": (spec.encoder_width,),
        CODE_TABLE: (vocabulary, temporal.width),
        DEPTH_NORM + "scale": (depth.width,),
        DEPTH_NORM + "bias": (depth.width,),
        LOGITS + "kernel": (depth.width, vocabulary),
        LOGITS + "bias": (vocabulary,),
    }
    if temporal.width != depth.width:
        out[DEPTH_ADAPTER] = (temporal.width, depth.width)
    if spec.depth_past:
        out[DEPTH_PAST_ADAPTER] = (temporal.width, depth.width)
    for index in range(temporal.layers):
        layer = f"{TEMPORAL}x_layers_{index}/"
        out |= _attention_shapes(layer + "self_attention/", temporal, temporal.width, sinks=True)
        out |= _attention_shapes(layer + "cross_attention/", temporal, spec.encoder_width, True)
        out |= _feed_forward_shapes(layer + "ffn/", temporal)
    for index in range(depth.layers):
        layer = f"{DEPTH}x_layers_{index}/"
        out |= _attention_shapes(layer + "self_attention/", depth, depth.width, sinks=False)
        out |= _feed_forward_shapes(layer + "ffn/", depth)
    return {PREFIX + key: shape for key, shape in out.items()}


def _attention_shapes(name: str, stack: TransformerSpec, source: int, sinks: bool) -> Shapes:
    heads = (stack.heads, stack.head_dim)
    out: Shapes = {
        name + "attention/query_projection/kernel": (stack.width, *heads),
        name + "attention/key_projection/kernel": (source, *heads),
        name + "attention/value_projection/kernel": (source, *heads),
        name + "attention/per_dim_scale": (stack.head_dim,),
        name + "output_projection/kernel": (stack.width, *heads),
        name + "pre_norm/scale": (stack.width,),
        name + "post_norm/scale": (stack.width,),
    }
    if sinks:
        out[name + "attention/sink_key_embeddings"] = (1, *heads)
        out[name + "attention/sink_value_embeddings"] = (1, *heads)
    return out


def _feed_forward_shapes(name: str, stack: TransformerSpec) -> Shapes:
    return {
        name + "ffn_layer1/kernel": (stack.width, stack.ffn),
        name + "ffn_layer1/bias": (stack.ffn,),
        name + "ffn_layer2/kernel": (stack.ffn, stack.width),
        name + "ffn_layer2/bias": (stack.width,),
        name + "pre_norm/scale": (stack.width,),
        name + "post_norm/scale": (stack.width,),
    }


def _stacked(kernels: list[mx.array]) -> mx.array:
    """Kernels [in, ...out] as one matrix [out, in]."""
    flat = [kernel.reshape(kernel.shape[0], -1).T for kernel in kernels]
    return flat[0] if len(flat) == 1 else mx.concatenate(flat)


class Builder:
    """Turns checked tensors into layers in one weight format, evaluating as it goes.

    Every matrix is brought to its final form, and its tensor let go, before the next is read: so
    loading holds one tensor more than the finished model, not two models.
    """

    def __init__(self, tensors: MutableMapping[str, mx.array], form: WeightFormat):
        """`tensors`: full names -> (lazy) arrays of the right shapes; those used are removed."""
        self._tensors = tensors
        self._form = form

    def _take(self, key: str) -> mx.array:
        return self._tensors.pop(PREFIX + key)

    def _kernel(self, key: str) -> mx.array:
        """A tensor in the activation type. The stored one may be twice as large: it is let go
        before anything else is made of it."""
        kernel = self._take(key).astype(self._form.dtype)
        mx.eval(kernel)
        return kernel

    def vector(self, key: str) -> mx.array:
        """A norm scale, bias or table that is never quantised, in the activation type."""
        value = mx.contiguous(self._take(key).astype(self._form.dtype))
        mx.eval(value)
        return value

    def matrix(self, *keys: str) -> Matrix:
        """Kernels [in, ...out] as one matrix [out, in], stacked on the output axis."""
        return self._held(_stacked([self._kernel(key) for key in keys]))

    def matrices(self, key: str, parts: list[slice]) -> list[Matrix]:
        """Some rows of the matrix [out, in] of one kernel, each a matrix of its own."""
        whole = self._kernel(key).T
        mx.eval(whole)
        return [self._held(whole[part]) for part in parts]

    def table(self, key: str) -> Matrix:
        """An embedding table [rows, width]."""
        return self._held(self._kernel(key))

    def _held(self, values: mx.array, form: WeightFormat | None = None) -> Matrix:
        held = Matrix(values, form or self._form)
        mx.eval(held.arrays())
        return held

    def attention(
        self, name: str, stack: TransformerSpec, *, cross: bool, sinks: bool
    ) -> Attention:
        """One attention under `name` (ends with a slash)."""
        inner = name + "attention/"
        query, key, value = (
            f"{inner}{part}_projection/kernel" for part in ("query", "key", "value")
        )
        factor = query_scale(self._take(inner + "per_dim_scale"), self._form.dtype)
        fold = self._form.dtype == mx.float32 and not self._form.bits
        heads, width = stack.heads, stack.head_dim
        projection = self._queries(query, factor if fold else None, [] if cross else [key, value])
        sink_key = sink_value = None
        if sinks:
            learned = self.vector(inner + "sink_key_embeddings") / factor
            sink_key = learned.reshape(heads, 1, width)
            sink_value = self.vector(inner + "sink_value_embeddings").reshape(heads, 1, width)
            mx.eval(sink_key, sink_value)
        mx.eval(factor)
        output = self._kernel(name + "output_projection/kernel")
        return Attention(
            heads=heads,
            head_dim=width,
            pre=self.vector(name + "pre_norm/scale"),
            post=self.vector(name + "post_norm/scale"),
            projection=projection,
            source=self.matrix(key, value) if cross else None,
            scale=None if fold else factor,
            output=self._held(output.reshape(stack.width, -1)),
            sink_key=sink_key,
            sink_value=sink_value,
        )

    def _queries(self, query: str, factor: mx.array | None, others: list[str]) -> Matrix:
        kernels = [self._kernel(key) for key in (query, *others)]
        if factor is not None:
            # One product less per attention; in float32 it changes nothing that could be seen.
            kernels[0] = kernels[0] * factor
        return self._held(_stacked(kernels))

    def feed_forward(self, name: str) -> FeedForward:
        """The feed-forward part under `name` (ends with a slash)."""
        return FeedForward(
            pre=self.vector(name + "pre_norm/scale"),
            post=self.vector(name + "post_norm/scale"),
            first=self.matrix(name + "ffn_layer1/kernel"),
            first_bias=self.vector(name + "ffn_layer1/bias"),
            second=self.matrix(name + "ffn_layer2/kernel"),
            second_bias=self.vector(name + "ffn_layer2/bias"),
        )

    def temporal_layers(self, stack: TransformerSpec) -> list[Layer]:
        """The temporal decoder's layers: self-attention, cross-attention, feed-forward."""
        names = [f"{TEMPORAL}x_layers_{index}/" for index in range(stack.layers)]
        return [
            Layer(
                self.attention(name + "self_attention/", stack, cross=False, sinks=True),
                self.attention(name + "cross_attention/", stack, cross=True, sinks=True),
                self.feed_forward(name + "ffn/"),
            )
            for name in names
        ]

    def depth_layers(self, stack: TransformerSpec) -> list[Layer]:
        """The depth decoder's layers: self-attention and feed-forward, no sinks."""
        names = [f"{DEPTH}x_layers_{index}/" for index in range(stack.layers)]
        return [
            Layer(
                self.attention(name + "self_attention/", stack, cross=False, sinks=False),
                None,
                self.feed_forward(name + "ffn/"),
            )
            for name in names
        ]
