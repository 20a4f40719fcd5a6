# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame vectors to audio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from bandmate.models.mrt2.spectrostream.blocks import Pointwise, SameBlock, Tensors, UpBlock, elu
from bandmate.models.mrt2.spectrostream.convolution import Conv
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec
from bandmate.models.mrt2.spectrostream.transform import Transform

State = dict[str, Any]
Observe = Callable[[str, mx.array], None]


def _ignore(name: str, value: mx.array) -> None:
    """The default observer."""


class Decoder:
    """The decoder's weights and its step. The channels of the audio share all blocks but the first
    two; they ride in the batch."""

    def __init__(self, spec: SpectroStreamSpec, tensors: Tensors, *, overlap_add: bool = False):
        """Args:
        tensors: named from below the decoder's prefix, checked by the caller.
        overlap_add: carry unfinished outputs, not inputs, of the transposed convolutions.
        """
        self.spec = spec
        name = "input_layer/"
        self._input = Pointwise(tensors, name + "conv1x1_first")
        self._input_first = Pointwise(tensors, name + "shortcut_layer/conv1x1_b1")
        self._input_second = Pointwise(tensors, name + "shortcut_layer/conv1x1_b2")
        name = "input_layers_residual_unit/"
        self._residual = SameBlock(tensors, name + "conv2d_3x3_a", name + "conv2d_3x3")
        self._up = [UpBlock(tensors, block, overlap_add) for block in spec.decoder_blocks()]
        self._last = Conv(tensors, "output_layer/base_conv_last")
        self._transform = Transform(spec)

    def init_state(self, batch: int) -> State:
        """Silence before the start; every array's first axis is a multiple of `batch`."""
        spec = self.spec
        bins = spec.narrow_bins
        residual = self._residual.init_state(batch, bins)
        up = [self._up[0].init_state(batch, bins)]
        sides = batch * spec.audio_channels
        for block, below in zip(self._up[1:], spec.decoder_blocks()[:-1], strict=True):
            bins *= below.stride[1]
            up.append(block.init_state(sides, bins))
        return {
            "residual": residual,
            "up": up,
            "last": self._last.init_state(sides, spec.bins),
            "frames": mx.zeros((batch,), mx.int32),
            "tail": self._transform.init_state(batch),
        }

    def __call__(
        self, embedding: mx.array, state: State, observe: Observe = _ignore
    ) -> tuple[mx.array, State]:
        """Decodes some frames of a stream.

        Args:
            embedding: [batch, frames, embedding width].
            state: as of the frame before.

        Returns:
            audio [batch, frames * frame_samples, channels], late by `lookahead_frames` frames
            (zeros at the start), and the new state.
        """
        spec = self.spec
        batch, frames, _ = embedding.shape
        x = self._input(embedding)
        x = x + self._input_second(elu(self._input_first(embedding)))
        observe("dec_after_input_layer", x)
        x = x.reshape(batch, frames, spec.narrow_bins, -1)
        x, residual = self._residual(x, state["residual"])
        x, first = self._up[0](x, state["up"][0])
        observe("dec_after_decoder_0", x)
        # [batch, T, F, sides * c] -> [batch * sides, T, F, c]
        sides = spec.audio_channels
        x = mx.moveaxis(x.reshape(*x.shape[:3], sides, -1), 3, 1)
        x = x.reshape(batch * sides, *x.shape[2:])
        up = [first]
        for block, block_state in zip(self._up[1:], state["up"][1:], strict=True):
            x, new = block(x, block_state)
            up.append(new)
        x, last = self._last(elu(x), state["last"])
        x = mx.moveaxis(x.reshape(batch, sides, *x.shape[1:]), 1, 3)
        x = x.reshape(*x.shape[:3], -1)
        # What comes out before the lookahead has passed belongs to no frame.
        place = state["frames"][:, None] + mx.arange(frames)
        place = mx.repeat(place, spec.hops_per_frame, axis=1)
        x = mx.where((place >= spec.lookahead_frames)[:, :, None, None], x, 0.0)
        observe("spectrogram", x)
        audio, tail = self._transform.audio(x, state["tail"])
        return audio, {
            "residual": residual,
            "up": up,
            "last": last,
            "frames": state["frames"] + frames,
            "tail": tail,
        }
