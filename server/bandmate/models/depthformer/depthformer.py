# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame of the language model: conditioning and the last codes in, the next codes out.

Two decoders: a temporal one that runs once a frame over cached attention, and a depth one that
runs once a codebook inside the frame. State is passed in and out; the object holds weights only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, MutableMapping
from typing import Any

import mlx.core as mx
import numpy as np

from bandmate.models.bundle import ConditioningSpec, DepthformerSpec
from bandmate.models.depthformer import weights as names
from bandmate.models.depthformer.linear import Held, Matrix, WeightFormat
from bandmate.models.depthformer.sampling import (
    FREE_RISE,
    guided,
    mixed,
    pick_codes,
    pick_near_mean,
)
from bandmate.models.depthformer.transformer import Attention, layer_norm, push
from bandmate.models.depthformer.vocabulary import RESERVED, START, ConditioningLayout
from bandmate.models.depthformer.weights import Builder

State = dict[str, Any]
"""`previous` int32 [rows, codebooks], ids of the last frame; `frames` int32 [rows], so far;
`keys`, `values`, `cross_keys`, `cross_values`: per layer [rows, heads, 1 + past + 1, d]."""

Pick = Callable[[int, mx.array], mx.array]
Observe = Callable[[str, mx.array], None]


def _ignore(name: str, value: mx.array) -> None:
    """The default observer."""


class Depthformer:
    """The weights of one language model and the functions of one frame.

    `rows` below is the batch: one row a session, or three with logit guidance.
    """

    def __init__(
        self,
        spec: DepthformerSpec,
        conditioning: ConditioningSpec,
        tensors: MutableMapping[str, mx.array],
        form: WeightFormat | None = None,
        code_values: mx.array | None = None,
        code_levels: mx.array | None = None,
    ):
        """Builds the layers from `tensors` (checked by `checkpoint.checked_tensors`).

        Args:
            code_values: what codes stand for, float32 [codebooks, codebook_size, values]. With
                them a code is picked near the mean of what is expected (`spec.expects`).
            code_levels: beside them, how loud that is, dB, float32 [codebooks, codebook_size].

        The tensors used are removed from the mapping, so that they can be freed on the way.
        """
        form = form or WeightFormat(mx.float32)
        self.spec, self.form = spec, form
        self.layout = ConditioningLayout(conditioning)
        self.vocabulary = names.target_vocabulary(spec)
        build = Builder(tensors, form)
        self._style_table = build.table(names.STYLE_TABLE)
        self._style_adapter = build.matrix(names.STYLE_ADAPTER)
        self._regular_table = build.vector(names.REGULAR_TABLE)
        self._encoder_norm = [build.vector(names.ENCODER_NORM + k) for k in ("scale", "bias")]
        self._code_table = build.table(names.CODE_TABLE)
        self._temporal = build.temporal_layers(spec.temporal)
        self._depth = build.depth_layers(spec.depth)
        self._depth_adapter: Matrix | None = None
        if spec.temporal.width != spec.depth.width:
            self._depth_adapter = build.matrix(names.DEPTH_ADAPTER)
        self._depth_past_adapter: Matrix | None = None
        if spec.depth_past:
            self._depth_past_adapter = build.matrix(names.DEPTH_PAST_ADAPTER)
        self._depth_norm = [build.vector(names.DEPTH_NORM + k) for k in ("scale", "bias")]
        parts = [
            slice(RESERVED + k * spec.codebook_size, RESERVED + (k + 1) * spec.codebook_size)
            for k in range(spec.codebooks)
        ]
        self._heads = build.matrices(names.LOGITS + "kernel", parts)
        bias = build.vector(names.LOGITS + "bias")
        self._head_biases = [bias[part] for part in parts]
        self._code_values, self._code_levels = code_values, code_levels
        self._offsets = mx.array(self.layout.row_offsets())
        self._first_ids = mx.array([part.start for part in parts], mx.int32)

    def init_state(self, rows: int = 1) -> State:
        """The state of a stream's start. Slot 0 of every cache holds the learned sink."""
        stack = self.spec.temporal

        def cache(sink: mx.array | None, past: int) -> mx.array:
            assert sink is not None
            empty = mx.zeros((stack.heads, past + 1, stack.head_dim), sink.dtype)
            whole = mx.concatenate([sink, empty], axis=1)
            return mx.contiguous(mx.broadcast_to(whole[None], (rows, *whole.shape)))

        cross = [layer.cross for layer in self._temporal if layer.cross is not None]
        own = [layer.attention for layer in self._temporal]
        return {
            "previous": mx.full((rows, self.spec.codebooks), START, mx.int32),
            "frames": mx.zeros((rows,), mx.int32),
            "keys": [cache(a.sink_key, stack.past) for a in own],
            "values": [cache(a.sink_value, stack.past) for a in own],
            "cross_keys": [cache(a.sink_key, stack.cross_past) for a in cross],
            "cross_values": [cache(a.sink_value, stack.cross_past) for a in cross],
        }

    def encode(self, tokens: mx.array, observe: Observe = _ignore) -> mx.array:
        """Conditioning ids [rows, channels] -> encoder vectors [rows, encoder width]."""
        levels = self.layout.spec.style_levels
        ids = tokens + self._offsets
        style = self._style_adapter.product(self._style_table.rows(ids[:, :levels]).sum(axis=1))
        regular = self._regular_table[ids[:, levels:]].astype(mx.float32).mean(axis=1)
        combined = (style + regular.astype(style.dtype)) / 2
        observe("encoder_embedding", combined)
        return layer_norm(combined, *self._encoder_norm)

    def temporal(
        self, encoded: mx.array, state: State, observe: Observe = _ignore
    ) -> tuple[mx.array, State]:
        """One frame of the temporal decoder.

        Args:
            encoded: [rows, encoder width], this frame's conditioning.
            state: as of the frame before.

        Returns:
            hidden [rows, temporal width], and the state with new caches and the old `previous`.
        """
        stack = self.spec.temporal
        x = self._embedded(state["previous"]).astype(mx.float32).mean(axis=1)
        x = x.astype(encoded.dtype)
        observe("temporal_in", x)
        frames = state["frames"]
        own_mask = _visible(frames, stack.past + 1)
        cross_mask = _visible(frames, stack.cross_past + 1)
        new: State = {"previous": state["previous"], "frames": frames + 1}
        for name in ("keys", "values", "cross_keys", "cross_values"):
            new[name] = []
        for index, layer in enumerate(self._temporal):
            query, key, value = layer.attention.project(x)
            assert layer.cross is not None
            x = _attend(layer.attention, x, query, key, value, own_mask, state, new, "", index)
            observe(f"temporal_x{index}_self", x)
            query, key, value = layer.cross.project(x, encoded)
            x = _attend(layer.cross, x, query, key, value, cross_mask, state, new, "cross_", index)
            observe(f"temporal_x{index}_cross", x)
            x = layer.feed_forward(x)
            observe(f"temporal_x{index}_ffn", x)
        return x, new

    def depth(
        self,
        hidden: mx.array,
        pick: Pick,
        codebooks: int | None = None,
        previous: mx.array | None = None,
    ) -> mx.array:
        """All depth steps of one frame.

        Args:
            hidden: [rows, temporal width].
            previous: ids [rows, codebooks] of the frame before; only models with `depth_past`
                look at them.
            pick: called with (codebook, features [rows, depth width]); returns codes int32 [rows].
            codebooks: how many to run; the rest get code 0. None: all.

        Returns:
            codes int32 [rows, codebooks], 0..codebook_size - 1.
        """
        caches: list[tuple[mx.array, mx.array] | None] = [None] * len(self._depth)
        active = self.spec.codebooks if codebooks is None else codebooks
        codes = []
        x = hidden
        past_codes = None
        if self._depth_past_adapter is not None and previous is not None:
            past_codes = self._depth_past_adapter.product(self._embedded(previous))
        for codebook in range(active):
            x = x if self._depth_adapter is None else self._depth_adapter.product(x)
            if past_codes is not None:
                x = x + past_codes[:, codebook]
            for index, layer in enumerate(self._depth):
                query, key, value = layer.attention.project(x)
                past = caches[index]
                if past is not None:
                    key = mx.concatenate([past[0], key], axis=2)
                    value = mx.concatenate([past[1], value], axis=2)
                caches[index] = (key, value)
                x = layer.attention.attend(x, query, key, value, None)
                x = layer.feed_forward(x)
            code = pick(codebook, layer_norm(x, *self._depth_norm))
            codes.append(code)
            x = self._embedded(code + self._first_ids[codebook])
        codes += [mx.zeros_like(codes[0])] * (self.spec.codebooks - active)
        return mx.stack(codes, axis=-1)

    def raw_logits(self, codebook: int, features: mx.array) -> mx.array:
        """Logits [rows, codebook_size] of one codebook, in the activation type, uncapped."""
        return self._heads[codebook].product(features) + self._head_biases[codebook]

    def logits(self, codebook: int, features: mx.array) -> mx.array:
        """Soft-capped logits [rows, codebook_size], float32."""
        cap = self.spec.soft_cap
        return (cap * mx.tanh(self.raw_logits(codebook, features) / cap)).astype(mx.float32)

    def ids(self, codes: mx.array) -> mx.array:
        """Codes [rows, codebooks] as ids of the code table."""
        return codes + self._first_ids

    def frame(
        self,
        tokens: mx.array,
        noise: mx.array,
        temperature: mx.array,
        top_k: mx.array,
        scales: mx.array,
        state: State,
        codebooks: int | None = None,
    ) -> tuple[mx.array, State]:
        """One whole frame of n sessions.

        Args:
            tokens: int32 [n, r, channels], r = 1, or 3 for logit guidance, or as many as a blend
                has prompts.
            noise: float32 [n, codebooks, codebook_size].
            temperature: float32 [n].
            top_k: int32 [n].
            scales: float32 [n, 2], logit guidance for style and notes; unused when r is 1.
            state: of n * r rows, a session's rows side by side. Beside that of `init_state`, `last`
                (ids as `previous`, told or not), `hold` and `rise` (float32 [n]): see
                `pick_near_mean`; and
                `shares` (float32 [n, r]): with these, rows are prompts and are `mixed`.
            codebooks: depth steps to run; None is all.

        Returns:
            codes int32 [n, codebooks] and the new state.
        """
        sessions, rows, channels = tokens.shape
        encoded = self.encode(tokens.reshape(sessions * rows, channels))
        hidden, new = self.temporal(encoded, state)

        def pick(codebook: int, features: mx.array) -> mx.array:
            logits = self.logits(codebook, features).reshape(sessions, rows, -1)
            if "shares" in state:
                one = mixed(logits, state["shares"])
            else:
                one = guided(logits, scales) if rows > 1 else logits[:, 0]
            drawn = (one, noise[:, codebook], temperature, top_k)
            if self._code_values is None or self._code_levels is None:
                code = pick_codes(*drawn)
            else:
                last = state.get("last", state["previous"]).reshape(sessions, rows, -1)[
                    :, 0, codebook
                ]
                code = pick_near_mean(
                    *drawn,
                    self._code_values[codebook],
                    self._code_levels[codebook],
                    last - self._first_ids[codebook],
                    state.get("hold", mx.ones((sessions,))),
                    state.get("rise", mx.full((sessions,), FREE_RISE)),
                )
            return mx.repeat(code, rows) if rows > 1 else code

        codes = self.depth(hidden, pick, codebooks, state["previous"])
        new["previous"] = self.ids(codes)
        return codes.reshape(sessions, rows, -1)[:, 0], new

    def forced_frame(self, tokens: mx.array, codes: mx.array, state: State) -> State:
        """A frame whose codes are given: caches advance, the depth decoder is not run.

        Args:
            tokens: int32 [n, r, channels].
            codes: int32 [n, codebooks].
        """
        sessions, rows, channels = tokens.shape
        _, new = self.temporal(self.encode(tokens.reshape(sessions * rows, channels)), state)
        new["previous"] = mx.repeat(self.ids(codes), rows, axis=0)
        return new

    def named_arrays(self) -> dict[str, Held]:
        """The matrices and vectors of every part by name, as the CPU runner wants them."""
        out: dict[str, Held] = {
            "row_offsets": self._offsets,
            "style_table": self._style_table.held,
            "style_adapter": self._style_adapter.held,
            "regular_table": self._regular_table,
            "encoder_scale": self._encoder_norm[0],
            "encoder_bias": self._encoder_norm[1],
            "code_table": self._code_table.held,
            "depth_scale": self._depth_norm[0],
            "depth_bias": self._depth_norm[1],
        }
        if self._depth_adapter is not None:
            out["depth_adapter"] = self._depth_adapter.held
        if self._depth_past_adapter is not None:
            out["depth_past_adapter"] = self._depth_past_adapter.held
        if self._code_values is not None and self._code_levels is not None:
            out["code_values"] = self._code_values
            out["code_levels"] = self._code_levels.reshape(-1)
        for index, (head, bias) in enumerate(zip(self._heads, self._head_biases, strict=True)):
            out[f"head.{index}"] = head.held
            out[f"head_bias.{index}"] = bias
        for stack, layers in (("temporal", self._temporal), ("depth", self._depth)):
            for index, layer in enumerate(layers):
                for part, array in layer.named_arrays().items():
                    out[f"{stack}.{index}.{part}"] = array
        return out

    def _embedded(self, ids: mx.array) -> mx.array:
        """Rows of the code table times sqrt(width), the factor rounded to the activation type."""
        rows = self._code_table.rows(ids)
        return rows * mx.array(np.float32(math.sqrt(self.spec.temporal.width))).astype(rows.dtype)


def _visible(frames: mx.array, window: int) -> mx.array:
    """Mask float32 [rows, 1, 1, 1 + window]: the sink and the newest `frames` + 1 positions."""
    position = mx.arange(window + 1)
    seen = mx.minimum(frames + 1, window)[:, None]
    visible = (position == 0) | (position > window - seen)
    return mx.where(visible, 0.0, -mx.inf).astype(mx.float32)[:, None, None]


def _attend(
    attention: Attention,
    x: mx.array,
    query: mx.array,
    key: mx.array,
    value: mx.array,
    mask: mx.array,
    state: State,
    new: State,
    kind: str,
    index: int,
) -> mx.array:
    """Pushes this frame's key and value into the new state's caches and attends over them."""
    keys = push(state[kind + "keys"][index], key)
    values = push(state[kind + "values"][index], value)
    new[kind + "keys"].append(keys)
    new[kind + "values"].append(values)
    return attention.attend(x, query, keys, values, mask)
