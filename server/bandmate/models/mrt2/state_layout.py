# SPDX-License-Identifier: GPL-3.0-or-later
"""Order, shapes and types of the state arrays that exported functions take and return."""

from __future__ import annotations

from bandmate.models.bundle import DepthformerSpec
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec

Layout = list[tuple[tuple[int, ...], str]]


def exported_state_layout(
    depthformer: DepthformerSpec, codec: SpectroStreamSpec, rows: int | None
) -> Layout:
    """Shape and type of each array of a fresh state, in order.

    Args:
        rows: 3 with logit guidance, None without (then there is no axis of rows).
    """
    lead = (1,) if rows is None else (1, rows)
    stack = depthformer.temporal
    previous: Layout = [((*lead, 1, depthformer.codebooks), "int32"), ((*lead, 1), "bool")]
    out: Layout = [*previous, ((*lead, 2), "uint32"), *previous]
    for _ in range(stack.layers):
        for past in (stack.past, stack.cross_past):
            cache = ((*lead, past, stack.heads, stack.head_dim), "bfloat16")
            out += [cache, cache, ((*lead, past), "bool"), (lead, "int32")]
    return [*out, (lead, "int32"), (lead, "int32"), *_codec_layout(codec)]


def _codec_layout(codec: SpectroStreamSpec) -> Layout:
    """The decoder's arrays: each buffer of past frames is followed by its mask."""
    blocks = codec.decoder_blocks()
    bins = codec.narrow_bins
    out: Layout = []

    def past(frames: int, width: int) -> None:
        out.extend([((1, frames, bins, width), "float32"), ((1, frames), "bool")])

    for _ in range(2):
        past(2, blocks[0].source)
    for _ in range(2):
        past(blocks[0].kernel[0] - blocks[0].stride[0], blocks[0].width)
    for _ in range(codec.audio_channels):
        bins = codec.narrow_bins
        for block in blocks[1:]:
            bins *= block.stride[1]
            past(block.kernel[0] - block.stride[0], block.width)
            past(2, block.width)
        past(codec.base_kernel - 1, codec.decoder_depth)
    tail = ((1, codec.stft_hop, codec.audio_channels), "float32")
    return [*out, ((1,), "int32"), tail]
