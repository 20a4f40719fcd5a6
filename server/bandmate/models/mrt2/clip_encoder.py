# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound as the codes that a language model would have made it of."""

from __future__ import annotations

from collections.abc import Generator

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import FrameSpec, PrefillError
from bandmate.models.mrt2.spectrostream.encoder import Encoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer

# Codes near a clip's ends are those of a sound that begins or ends there. Fewer frames would leave
# some of them in; the more are cut, the less is left to go on from.
EDGE_FRAMES = 25
SILENCE_FRAMES = 550  # fills the language model's memory


class SpectroStreamClipEncoder:
    """Implements `language_model.ClipEncoder`, frame by frame."""

    def __init__(self, encoder: Encoder, quantizer: Quantizer, levels: int, frame: FrameSpec):
        """`levels`: codes of a frame."""
        self._encoder, self._quantizer = encoder, quantizer
        self._levels, self._frame = levels, frame

    def codes(self, audio: NDArray[np.float32] | None) -> Generator[None, None, NDArray[np.int32]]:
        """See `interface.Prefillable.encode_clip`; samples after the last whole frame are left out.

        Silence is one frame's codes, from amid silence, over and over.
        """
        if audio is None:
            silence = self._silence(2 * EDGE_FRAMES + 1)
            return np.repeat((yield from self._inner(silence)), SILENCE_FRAMES, axis=0)
        return (yield from self._inner(audio))

    def _inner(self, audio: NDArray[np.float32]) -> Generator[None, None, NDArray[np.int32]]:
        size = self._frame.frame_samples
        frames = len(audio) // size
        if frames <= 2 * EDGE_FRAMES:
            shortest = (2 * EDGE_FRAMES + 1) * size / self._frame.sample_rate
            raise PrefillError(f"The clip is too short: it must last {shortest:.2f} s or more.")
        # A frame's vector comes with the block after it.
        blocks = [*audio[: frames * size].reshape(frames, size, -1), self._silence(1)]
        state, codes = self._encoder.init_state(), []
        for block in blocks:
            vector, state = self._encoder.block(mx.array(block), state)
            if vector is not None:
                codes.append(np.array(self._quantizer.encode(vector[None], self._levels))[0])
            yield
        return np.stack(codes[EDGE_FRAMES:-EDGE_FRAMES])

    def _silence(self, frames: int) -> NDArray[np.float32]:
        return np.zeros((frames * self._frame.frame_samples, self._frame.channels), np.float32)
