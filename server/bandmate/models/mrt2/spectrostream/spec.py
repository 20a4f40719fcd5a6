# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of the codec and the names and shapes of its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class SpectroStreamSpec:
    """From a bundle's `codec` object. Arrays are laid out [batch, time, frequency, channels].

    Attributes:
        sample_rate: in Hz.
        stft_window, stft_hop: samples; the transform is as long as the window.
        audio_channels: each has a real and an imaginary spectrogram channel.
        embedding: width of one frame's vector.
        ratios: (time, frequency) stride of each encoder block; the decoder's are these reversed.
        multipliers: growth of the channels in each encoder block.
        encoder_depth, decoder_depth: channels next to the spectrogram.
        base_kernel: size of the kernels next to the spectrogram, both axes.
        lookahead_frames: code frames the decoder is late by.
        quantizers, codebook_size: residual codebooks in the file, and their size.
    """

    sample_rate: int
    stft_window: int
    stft_hop: int
    audio_channels: int
    embedding: int
    ratios: tuple[tuple[int, int], ...]
    multipliers: tuple[int, ...]
    encoder_depth: int
    decoder_depth: int
    base_kernel: int
    lookahead_frames: int
    quantizers: int
    codebook_size: int

    @property
    def bins(self) -> int:
        """Frequency bins kept: all but the highest."""
        return self.stft_window // 2

    @property
    def hops_per_frame(self) -> int:
        return prod(ratio[0] for ratio in self.ratios)

    @property
    def frame_samples(self) -> int:
        return self.hops_per_frame * self.stft_hop

    @property
    def narrow_bins(self) -> int:
        """Frequency positions at the middle of the codec."""
        return self.bins // prod(ratio[1] for ratio in self.ratios)

    def encoder_blocks(self) -> list[Block]:
        """The strided blocks, outermost first; the last sees all audio channels side by side."""
        out, channels = [], self.encoder_depth
        last = len(self.ratios) - 1
        for index, (ratio, growth) in enumerate(zip(self.ratios, self.multipliers, strict=True)):
            source = channels * (self.audio_channels if index == last else 1)
            out.append(Block(f"encoder_{index}", source, channels * growth, ratio))
            channels *= growth
        return out

    def decoder_blocks(self) -> list[Block]:
        """The transposed blocks, innermost first; the first widens to all audio channels."""
        out, channels = [], self.decoder_depth
        last = len(self.ratios) - 1
        for index, (ratio, growth) in enumerate(zip(self.ratios, self.multipliers, strict=True)):
            width = channels * (self.audio_channels if index == last else 1)
            out.append(Block(f"decoder_{last - index}", channels * growth, width, ratio))
            channels *= growth
        return out[::-1]


@dataclass(frozen=True)
class Block:
    """One residual block that changes resolution: channels in and out, (time, frequency) stride."""

    name: str
    source: int
    width: int
    stride: tuple[int, int]

    @property
    def kernel(self) -> tuple[int, int]:
        return max(3, 2 * self.stride[0]), max(3, 2 * self.stride[1])

    @property
    def kernel_name(self) -> str:
        return f"{self.kernel[0]}x{self.kernel[1]}"


def decoder_shapes(spec: SpectroStreamSpec) -> Shapes:
    """The decoder's tensors, named from below its prefix: name -> shape."""
    blocks = spec.decoder_blocks()
    inner = blocks[0].source
    flat = spec.narrow_bins * inner
    out = _conv("input_layer/conv1x1_first", 1, 1, spec.embedding, flat)
    out |= _conv("input_layer/shortcut_layer/conv1x1_b1", 1, 1, spec.embedding, flat)
    out |= _conv("input_layer/shortcut_layer/conv1x1_b2", 1, 1, flat, flat)
    for name in ("conv2d_3x3_a", "conv2d_3x3"):
        out |= _conv(f"input_layers_residual_unit/{name}", 3, 3, inner, inner)
    for block in blocks:
        transposed = f"{block.name}/conv2dtranspose_{block.kernel_name}"
        out |= _conv(transposed, *block.kernel, block.source, block.width)
        out |= _conv(f"{block.name}/conv2d_3x3", 3, 3, block.width, block.width)
        if block.source != block.width:
            shortcut = f"{block.name}/shortcut_layer/conv1x1"
            out |= _conv(shortcut, 1, 1, block.source, block.width)
    size = spec.base_kernel
    return out | _conv("output_layer/base_conv_last", size, size, spec.decoder_depth, 2)


def encoder_shapes(spec: SpectroStreamSpec) -> Shapes:
    """The encoder's tensors, named from below its prefix: name -> shape."""
    size = spec.base_kernel
    out = _conv("base_conv_first", size, size, 2, spec.encoder_depth)
    blocks = spec.encoder_blocks()
    for block in blocks:
        out |= _conv(f"{block.name}/conv2d_3x3", 3, 3, block.source, block.source)
        strided = f"{block.name}/conv2d_{block.kernel_name}_a"
        out |= _conv(strided, *block.kernel, block.source, block.width)
        if block.source != block.width:
            shortcut = f"{block.name}/shortcut_layer/conv1x1"
            out |= _conv(shortcut, 1, 1, block.source, block.width)
    inner = blocks[-1].width
    for name in ("conv2d_3x3", "conv2d_3x3_a"):
        out |= _conv(f"bottleneck/{name}", 3, 3, inner, inner)
    flat = spec.narrow_bins * inner
    out |= _conv("output_convs/conv1x1_last", 1, 1, flat, spec.embedding)
    out |= _conv("output_convs/shortcut_layer/conv1x1_b1", 1, 1, flat, flat)
    return out | _conv("output_convs/shortcut_layer/conv1x1_b2", 1, 1, flat, spec.embedding)


def _conv(name: str, time: int, frequency: int, source: int, width: int) -> Shapes:
    return {
        f"{name}/conv/kernel": (time, frequency, source, width),
        f"{name}/conv/bias": (width,),
    }
