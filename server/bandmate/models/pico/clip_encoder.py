# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound as the codes that the bundled model would have made it of."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import FrameSpec, PrefillError
from bandmate.models.pico.codec import MagnitudeCodec
from bandmate.models.pico.features import FeatureExtractor

EDGE_FRAMES = 1  # whose windows reach over a clip's end
SILENCE_FRAMES = 50  # more than the language model's memory


class MagnitudeClipEncoder:
    """Implements `language_model.ClipEncoder`, frame by frame."""

    def __init__(self, codec: MagnitudeCodec, frame: FrameSpec) -> None:
        self._codec, self._frame = codec, frame
        self._features = FeatureExtractor(codec.spec)

    def codes(self, audio: NDArray[np.float32] | None) -> Generator[None, None, NDArray[np.int32]]:
        """See `interface.Prefillable.encode_clip`; samples after the last whole frame are left out.

        Silence is one frame's codes over and over.
        """
        size = self._frame.frame_samples
        if audio is None:
            silence = np.zeros(((2 * EDGE_FRAMES + 1) * size, 1), np.float32)
            return np.repeat((yield from self._inner(silence)), SILENCE_FRAMES, axis=0)
        if len(audio) // size <= 2 * EDGE_FRAMES:
            shortest = (2 * EDGE_FRAMES + 1) * size / self._frame.sample_rate
            raise PrefillError(f"The clip is too short: it must last {shortest:.2f} s or more.")
        return (yield from self._inner(audio))

    def _inner(self, audio: NDArray[np.float32]) -> Generator[None, None, NDArray[np.int32]]:
        rate = self._frame.sample_rate
        features = self._features(audio, rate)
        places = (
            self._features.stereo(audio, rate) if audio.shape[1] == 2 else [None] * len(features)
        )
        encoder, codes = self._codec.encoder(), []
        for frame, place in zip(features, places, strict=True):
            yield
            codes.append(encoder(frame, place))
        return np.stack(codes[EDGE_FRAMES:-EDGE_FRAMES])
