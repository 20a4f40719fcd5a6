# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame as a function of arrays alone, in the order exported models have.

Inputs: conditioning without guidance bins [1, 1, channels] int32, temperature [1], top-k [1] int32,
guidance for style, notes and drums [1] each, the conditioning with masked style and with masked
notes, forced ids [1, 0 or 1, codebooks] int32, then the state. Outputs: audio [1, audio channels,
F] int16, then the new state.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from bandmate.models.bundle import TransformerSpec
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.depthformer import State as LanguageState
from bandmate.models.depthformer.sampling import reference_noise
from bandmate.models.depthformer.vocabulary import OFFSET, RESERVED, START, guidance_bins_float32
from bandmate.models.mrt2.codec import SpectroStreamCodec, to_pcm16

Arrays = list[mx.array]

ROWS = 3  # full, style masked, notes masked
CONTROLS = 9  # inputs before the state
KEYS = 2  # place of the random keys in the state
PREVIOUS = 3  # place of the previous frame's ids that the model reads
LAYERS = 5  # place of the first layer's arrays
LAYER_ARRAYS = 8
DEFAULT_SEED = 42


class FrameFunction:
    """A depthformer and a codec, built with `overlap_add`, as one pure function of arrays."""

    def __init__(self, depthformer: Depthformer, codec: SpectroStreamCodec):
        self._model, self._codec = depthformer, codec
        fresh = depthformer.init_state(ROWS)
        kinds = ("keys", "values", "cross_keys", "cross_values")
        # Constants of the function: whole arrays of their own, for a view is written as it lies
        # in memory and comes back wrong.
        self._sinks = {
            kind: [mx.contiguous(cache[:, :, :1]) for cache in fresh[kind]] for kind in kinds
        }
        mx.eval(self._sinks)

    def initial_state(self) -> Arrays:
        """The state of a stream's start, seeded as the reference is."""
        stack = self._model.spec.temporal
        ids = mx.full((1, ROWS, 1, self._model.spec.codebooks), START, mx.int32)
        told = mx.ones((1, ROWS, 1), mx.bool_)
        none = mx.zeros((1, ROWS), mx.int32)
        keys = mx.stack([mx.random.key(DEFAULT_SEED + row) for row in range(ROWS)])
        out = [ids, told, keys[None], ids, told]
        dtype = self._model.form.dtype
        for _ in range(stack.layers):
            for past in (stack.past, stack.cross_past):
                cache = mx.zeros((1, ROWS, past, stack.heads, stack.head_dim), dtype)
                out += [cache, cache, mx.zeros((1, ROWS, past), mx.bool_), none]
        return [*out, none, none, *self._codec_arrays(self._codec.decoder.init_state(1), None)]

    def __call__(self, *inputs: mx.array) -> Arrays:
        """See the module. The forced ids' time length tells which of two traces this is."""
        conditioning, temperature, top_k, style, notes, drums = inputs[:6]
        without_style, without_notes, forced = inputs[6:CONTROLS]
        state = list(inputs[CONTROLS:])
        spec, layout = self._model.spec, self._model.layout
        bins = [
            guidance_bins_float32(scale, value) + OFFSET
            for scale, value in zip(layout.spec.guidance, (style, notes, drums), strict=True)
        ]
        rows = mx.concatenate([conditioning, without_style, without_notes], axis=1)
        same = mx.broadcast_to(mx.stack(bins, axis=1)[:, None], (1, ROWS, len(bins)))
        tokens = mx.concatenate([rows, same], axis=2)
        language, keys = self._language_state(state), state[KEYS]
        if forced.shape[1]:
            codes = (forced[:, 0] - RESERVED) % spec.codebook_size
            new = self._model.forced_frame(tokens, codes, language)
        else:
            noise, keys = self._noise(keys)
            scales = mx.stack([style, notes], axis=1)
            codes, new = self._model.frame(tokens, noise, temperature, top_k, scales, language)
        decoder = self._codec.decoder
        codec_state = self._codec_state(state)
        vectors = self._codec.quantizer.decode(codes)[:, None]
        audio, after = decoder(vectors, codec_state)
        pcm = to_pcm16(audio, self._codec.gain).swapaxes(1, 2)
        return [pcm, *self._language_arrays(state, new, keys), *self._codec_arrays(after, state)]

    def _noise(self, keys: mx.array) -> tuple[mx.array, mx.array]:
        """This frame's noise, by the first row's key, and every row's next key."""
        spec = self._model.spec
        first, key = reference_noise(
            keys[0, 0], spec.codebooks, spec.codebook_size, self._model.vocabulary
        )
        after = [key]
        for row in range(1, ROWS):
            key = keys[0, row]
            for _ in range(spec.codebooks):
                key = mx.random.split(key)[1]
            after.append(key)
        return first, mx.stack(after)[None]

    def _language_state(self, state: Arrays) -> LanguageState:
        spec = self._model.spec.temporal
        out: LanguageState = {"previous": state[PREVIOUS][0, :, 0], "frames": state[LAYERS + 3][0]}
        for kind in self._sinks:
            out[kind] = []
        for layer in range(spec.layers):
            own = state[LAYERS + layer * LAYER_ARRAYS :][:LAYER_ARRAYS]
            step = own[3][0, 0]
            oldest_first = (step + mx.arange(spec.past)) % spec.past
            for kind, cache in (("keys", own[0]), ("values", own[1])):
                self._append(out, kind, layer, cache[0][:, oldest_first])
            for kind, cache in (("cross_keys", own[4]), ("cross_values", own[5])):
                self._append(out, kind, layer, cache[0])
        return out

    def _append(self, out: LanguageState, kind: str, layer: int, past: mx.array) -> None:
        """Past positions [rows, past, heads, d] as a cache; its first place is pushed out next."""
        sink = self._sinks[kind][layer]
        place = mx.zeros_like(sink)
        out[kind].append(mx.concatenate([sink, place, past.swapaxes(1, 2)], axis=2))

    def _language_arrays(self, state: Arrays, new: LanguageState, keys: mx.array) -> Arrays:
        stack: TransformerSpec = self._model.spec.temporal
        previous = new["previous"][None, :, None]
        told = mx.ones_like(state[1])
        out = [previous, told, keys, previous, told]
        place = mx.arange(stack.past)
        for layer in range(stack.layers):
            own = state[LAYERS + layer * LAYER_ARRAYS :][:LAYER_ARRAYS]
            written = place == own[3][0, 0] % stack.past
            for kind, ring in (("keys", own[0]), ("values", own[1])):
                newest = new[kind][layer][:, :, -1][None, :, None]
                out.append(mx.where(written[:, None, None], newest, ring))
            out += [own[2] | written, own[3] + 1]
            for kind in ("cross_keys", "cross_values"):
                out.append(new[kind][layer][:, :, 2:].swapaxes(1, 2)[None])
            out += [_pushed(own[6], 1), own[7] + 1]
        counter = state[LAYERS + stack.layers * LAYER_ARRAYS]
        countdown = state[LAYERS + stack.layers * LAYER_ARRAYS + 1]
        return [*out, counter + 1, countdown]

    @property
    def _codec_start(self) -> int:
        return LAYERS + self._model.spec.temporal.layers * LAYER_ARRAYS + 2

    def _codec_state(self, state: Arrays) -> dict[str, Any]:
        """The decoder's tree of the flat arrays; every buffer is followed by its mask."""
        spec = self._codec.decoder.spec
        flat = state[self._codec_start :]
        buffers = flat[:-2:2]
        shared, sides = buffers[:4], buffers[4:]
        each = len(sides) // spec.audio_channels
        joined = [mx.concatenate(sides[place::each]) for place in range(each)]
        pairs = [[*pair] for pair in zip(joined[:-1:2], joined[1:-1:2], strict=True)]
        left = mx.maximum(flat[-2] - 1, 0) // spec.hops_per_frame
        return {
            "residual": shared[:2],
            "up": [shared[2:], *pairs],
            "last": joined[-1],
            "frames": spec.lookahead_frames - left,
            "tail": flat[-1],
        }

    def _codec_arrays(self, tree: dict[str, Any], before: Arrays | None) -> Arrays:
        """The flat arrays of the decoder's tree; `before`: the whole state, None at the start.

        The masks tell which of a buffer's positions have been written since.
        """
        spec = self._codec.decoder.spec
        shared = [*tree["residual"], *tree["up"][0]]
        inner = [array for pair in tree["up"][1:] for array in pair] + [tree["last"]]
        sides = [a[side : side + 1] for side in range(spec.audio_channels) for a in inner]
        buffers = [*shared, *sides]
        if before is None:
            masks = [mx.zeros(buffer.shape[:2], mx.bool_) for buffer in buffers]
            left = mx.full((1,), spec.lookahead_frames * spec.hops_per_frame + 1, mx.int32)
        else:
            flat = before[self._codec_start :]
            pushed = self._positions()
            masks = [
                _pushed(mask, n)
                for mask, n in zip(
                    flat[1:-2:2], pushed[:4] + pushed[4:] * spec.audio_channels, strict=True
                )
            ]
            left = mx.maximum(flat[-2] - spec.hops_per_frame, 1)
        pairs = [array for pair in zip(buffers, masks, strict=True) for array in pair]
        return [*pairs, left, tree["tail"]]

    def _positions(self) -> list[int]:
        """Time positions that a frame writes into each buffer: of both sides' together, then of one
        side's."""
        out, positions = [1, 1], 1
        for block in self._codec.decoder.spec.decoder_blocks():
            positions *= block.stride[0]
            out += [positions, positions]
        return [*out, positions]


def _pushed(mask: mx.array, positions: int) -> mx.array:
    """A mask [..., n] after so many written positions."""
    new = mx.ones((*mask.shape[:-1], positions), mx.bool_)
    return mx.concatenate([mask, new], axis=-1)[..., -mask.shape[-1] :]
