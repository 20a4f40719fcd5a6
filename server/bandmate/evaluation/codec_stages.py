# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's codec taken apart, so that the stage which loses something is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError
from bandmate.models.bundle import Bundle
from bandmate.models.pico.clip_encoder import EDGE_FRAMES, MagnitudeClipEncoder
from bandmate.models.pico.codec import CodecState, MagnitudeCodec
from bandmate.models.pico.features import FeatureExtractor

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]
Step = Callable[..., tuple[Floats, list[CodecState]]]


class NoStagesError(BandmateError):
    """A bundle whose codec cannot be taken apart."""


class CodecStages:
    """Every way from a sound to what the codec makes of it.

    All take and give audio [samples, channels] at the bundle's rate. The codec's delay is taken
    out, so that output and input lie on top of each other.
    """

    STAGES = ("features", "unquantised", "quantised")

    def __init__(self, bundle: Bundle) -> None:
        if bundle.family != "pico":
            raise NoStagesError(
                f"Only bundles of the family 'pico' have a codec that can be graded by itself; "
                f"{bundle.name!r} is of {bundle.family!r}."
            )
        self.frame = bundle.frame
        self.codec = MagnitudeCodec.load(bundle)
        self._extract = FeatureExtractor(self.codec.spec)
        self._encoder = MagnitudeClipEncoder(self.codec, bundle.frame)

    @property
    def bits_per_second(self) -> float:
        """Of the codes."""
        books = len(self.codec.spec.code_groups) + self.codec.spec.stereo_books
        return (
            books
            * float(np.log2(self.codec.code_size))
            * self.frame.sample_rate
            / self.frame.frame_samples
        )

    @property
    def hop(self) -> int:
        """Samples from one window of the codec to the next."""
        return self.codec.spec.synthesis.hop

    def codes(self, audio: Floats) -> Codes:
        """Codes [frames, codebooks]: enough frames for the delay at the end."""
        edge = EDGE_FRAMES * self.frame.frame_samples
        steps = self._encoder.codes(np.pad(self._extended(audio), ((edge, edge), (0, 0))))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def decode(self, codes: Codes, samples: int) -> Floats:
        """Sound of codes: what is heard of the language model."""
        return self._play(self.codec.decode, samples, codes)

    def stage(self, name: str, audio: Floats) -> Floats:
        """One of STAGES.

        features: magnitudes, places and phase integration alone. unquantised: through the basis
        and back. quantised: the whole codec, through its codes.
        """
        if name == "quantised":
            return self.decode(self.codes(audio), len(audio))
        audio, samples = self._extended(audio), len(audio)
        features = self._extract(audio, self.frame.sample_rate)
        if name == "unquantised":
            features = self.codec.unquantised(features)
        elif name != "features":
            raise ValueError(f"no stage {name!r}")
        places = [None] * len(features)
        if self.codec.spec.stereo_books and audio.shape[1] == 2:
            places = list(self._extract.stereo(audio, self.frame.sample_rate))
        return self._play(self.codec.sound, samples, features, places)

    def _extended(self, audio: Floats) -> Floats:
        extra = self.frame.delay_samples + self.frame.frame_samples
        return np.pad(audio, ((0, extra), (0, 0)))

    def _play(self, step: Step, samples: int, *rows: Sequence[Any]) -> Floats:
        """Frame by frame, each from one of every kind of row."""
        state, frames = self.codec.init_state(), []
        for now in zip(*rows, strict=True):
            out, (state,) = step(*([None] if r is None else r[None] for r in now), [state])
            frames.append(out[0])
        audio = np.concatenate(frames)[self.frame.delay_samples :][:samples]
        return np.pad(audio, ((0, samples - len(audio)), (0, 0)))
