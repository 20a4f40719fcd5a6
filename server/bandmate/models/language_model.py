# SPDX-License-Identifier: GPL-3.0-or-later
"""A depthformer and a codec together, as the engine's `Model`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.batching import Batched, gather, scatter
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.sampling import session_noise
from bandmate.models.interface import FrameControls, FrameSpec


class Codec(Protocol):
    """Turns codes into sound, frame by frame. State lives outside."""

    def init_state(self) -> Any:
        """A fresh state of one session."""
        ...

    def decode(
        self, codes: NDArray[np.int32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """codes [n, codebooks], 0..codebook_size - 1, and n states -> audio [n, F, channels]
        float32 in -1..1, and n new states."""
        ...


@dataclass(frozen=True)
class SessionState:
    """What one session carries from frame to frame."""

    language: Batched
    codec: Any


class CodecLanguageModel:
    """Implements `interface.Model` with a depthformer and a codec.

    Attributes:
        spec: the frame grid.
        logit_guidance: guide logits too (three rows a session), not only by conditioning tokens.
    """

    def __init__(
        self,
        spec: FrameSpec,
        depthformer: Depthformer,
        codec: Codec,
        *,
        logit_guidance: bool = False,
    ):
        self.spec = spec
        self.logit_guidance = logit_guidance
        self.depthformer = depthformer
        self.codec = codec
        self._frame = mx.compile(depthformer.frame)

    def init_state(self) -> SessionState:
        """A fresh session: no codes before, nothing in the caches, the codec silent."""
        rows = 3 if self.logit_guidance else 1
        return SessionState(
            Batched(self.depthformer.init_state(rows), 0, 1), self.codec.init_state()
        )

    def step(
        self, controls: Sequence[FrameControls], states: Sequence[SessionState]
    ) -> tuple[list[NDArray[np.float32]], list[SessionState]]:
        """Generates one frame for each session (see `interface.Model.step`)."""
        codes, language = self.generate(controls, [state.language for state in states])
        audio, codec = self.codec.decode(codes, [state.codec for state in states])
        new = [SessionState(*pair) for pair in zip(language, codec, strict=True)]
        return list(audio), new

    def generate(
        self, controls: Sequence[FrameControls], states: Sequence[Batched]
    ) -> tuple[NDArray[np.int32], list[Batched]]:
        """The language model's part of a step: codes [n, codebooks] and new states."""
        spec = self.depthformer.spec
        tokens = self.depthformer.layout.tokens(controls)
        layout = self.depthformer.layout
        rows = layout.negatives(tokens) if self.logit_guidance else tokens[:, None]
        noise = [
            session_noise(c.seed, c.frame_index, spec.codebooks, spec.codebook_size)
            for c in controls
        ]
        codes, tree = self._frame(
            mx.array(rows),
            mx.array(np.stack(noise)),
            mx.array([c.temperature for c in controls], mx.float32),
            mx.array([c.top_k for c in controls], mx.int32),
            mx.array([c.guidance[:2] for c in controls], mx.float32),
            gather(states),
        )
        mx.eval(codes, tree)
        return np.array(codes), scatter(tree, len(states))
