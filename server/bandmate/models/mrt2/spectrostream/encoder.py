# SPDX-License-Identifier: GPL-3.0-or-later
"""Audio to frame vectors, a clip at once or frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from bandmate.models.mrt2.spectrostream.blocks import (
    DownBlock,
    Pointwise,
    SameBlock,
    States,
    Tensors,
    elu,
)
from bandmate.models.mrt2.spectrostream.convolution import Conv
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec
from bandmate.models.mrt2.spectrostream.transform import Transform


@dataclass(frozen=True)
class EncoderState:
    """A stream being encoded.

    Attributes:
        before: the block before [F, channels], or None at the start.
        states: of the convolutions.
    """

    before: mx.array | None
    states: list[States]


class Encoder:
    """The encoder's weights. Audio channels share all blocks but the last two; they ride in the
    batch."""

    def __init__(self, spec: SpectroStreamSpec, tensors: Tensors):
        """`tensors`: named from below the encoder's prefix, checked by the caller."""
        self._spec = spec
        self._first = Conv(tensors, "base_conv_first")
        self._down = [DownBlock(tensors, block) for block in spec.encoder_blocks()]
        self._bottleneck = SameBlock(tensors, "bottleneck/conv2d_3x3", "bottleneck/conv2d_3x3_a")
        self._last = Pointwise(tensors, "output_convs/conv1x1_last")
        self._last_first = Pointwise(tensors, "output_convs/shortcut_layer/conv1x1_b1")
        self._last_second = Pointwise(tensors, "output_convs/shortcut_layer/conv1x1_b2")
        self._transform = Transform(spec)

    def init_state(self) -> EncoderState:
        """Nothing heard yet."""
        spec = self._spec
        sides, bins = spec.audio_channels, spec.bins
        states: list[States] = [[self._first.init_state(sides, bins)]]
        for index, (layer, block) in enumerate(zip(self._down, spec.encoder_blocks(), strict=True)):
            states.append(layer.init_state(1 if index == len(self._down) - 1 else sides, bins))
            bins //= block.stride[1]
        states.append(self._bottleneck.init_state(1, bins))
        return EncoderState(None, states)

    def clip(self, audio: mx.array) -> mx.array:
        """A whole clip [frames * frame_samples, channels] -> [frames, embedding width].

        The last frame looks one hop past the clip and sees silence there.
        """
        end = mx.zeros((self._spec.stft_hop, audio.shape[1]))
        spectrogram = self.spectrogram(mx.concatenate([audio, end]))
        return self._convolve(spectrogram, self.init_state().states)[0]

    def spectrogram(self, audio: mx.array) -> mx.array:
        """[hop * (frames + 1), channels] -> [frames, bins, 2 * channels]."""
        return self._transform.spectrogram(audio[None])[0]

    def block(self, audio: mx.array, state: EncoderState) -> tuple[mx.array | None, EncoderState]:
        """One frame of a stream.

        A frame looks one hop ahead, so its vector comes with the block after it: block j gives
        what `clip` gives for frame j - 1.

        Args:
            audio: [frame_samples, channels].

        Returns:
            [embedding width], or None for the first block, and the new state.
        """
        if state.before is None:
            return None, EncoderState(audio, state.states)
        hop = self._spec.stft_hop
        heard = mx.concatenate([state.before, audio[:hop]])
        vectors, states = self._convolve(self.spectrogram(heard), state.states)
        mx.eval(vectors, states)
        return vectors[0], EncoderState(audio, states)

    def _convolve(
        self, spectrogram: mx.array, states: list[States]
    ) -> tuple[mx.array, list[States]]:
        """[T, bins, 2 * channels] -> [T / hops, embedding width] and new states."""
        sides = self._spec.audio_channels
        # Each audio channel is an item of the batch.
        x = mx.moveaxis(spectrogram.reshape(*spectrogram.shape[:2], sides, -1), 2, 0)
        x, first = self._first(x, states[0][0])
        new: list[States] = [[first]]
        for index, block in enumerate(self._down):
            if index == len(self._down) - 1:
                x = mx.moveaxis(x, 0, 2).reshape(1, *x.shape[1:3], -1)
            x, block_state = block(x, states[index + 1])
            new.append(block_state)
        x, block_state = self._bottleneck(x, states[-1])
        new.append(block_state)
        x = x.reshape(x.shape[1], -1)
        y = self._last(x) + self._last_second(elu(self._last_first(elu(x))))
        return y, new
