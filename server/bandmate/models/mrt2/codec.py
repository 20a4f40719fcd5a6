# SPDX-License-Identifier: GPL-3.0-or-later
"""SpectroStream as the codec of a language model: codes in, audible frames out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.batching import Batched, gather, scatter
from bandmate.models.mrt2.spectrostream.cpu import NativeDecoder
from bandmate.models.mrt2.spectrostream.decoder import Decoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer

AnyDecoder = Decoder | NativeDecoder


class SpectroStreamCodec:
    """Implements `language_model.Codec`.

    Attributes:
        gain: factor on the decoder's output before it is clipped to -1..1.
    """

    def __init__(self, quantizer: Quantizer, decoder: AnyDecoder, gain: float):
        self.gain = gain
        self.quantizer, self.decoder = quantizer, decoder

    def init_state(self) -> Batched:
        """A session that has heard nothing."""
        return Batched(self.decoder.init_state(1), 0, 1)

    def decode(
        self, codes: NDArray[np.int32], states: Sequence[Batched]
    ) -> tuple[NDArray[np.float32], list[Batched]]:
        """codes [n, codebooks] -> audio [n, F, channels], clipped, and n new states."""
        audio, tree = self._decoded(mx.array(codes), gather(states))
        mx.eval(audio, tree)
        return np.array(audio), scatter(tree, [state.names for state in states])

    def state_tree(self, state: Batched) -> Any:
        """The decoder's arrays of this session."""
        return state.own_tree()

    def state_from_tree(self, tree: Any) -> Batched:
        """A session with these arrays."""
        return Batched(tree, 0, 1)

    # Not compiled: there are few operations and they are large. Fused, minimum and maximum would
    # lose their vector instructions.
    def _decoded(self, codes: mx.array, state: Any) -> tuple[mx.array, Any]:
        audio, new = self.decoder(self.quantizer.decode(codes)[:, None], state)
        return mx.clip(self.gain * audio, -1.0, 1.0), new


def to_pcm16(audio: mx.array, gain: float) -> mx.array:
    """Decoder output as int16, by the reference's rule (halves to even; 0 stays 0)."""
    return mx.round(mx.clip(gain * audio, -1.0, 1.0) * 32767.5 - 0.5).astype(mx.int16)
