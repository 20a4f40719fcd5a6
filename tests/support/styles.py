# SPDX-License-Identifier: GPL-3.0-or-later
"""A model with styles that costs nothing: the test tone's grid, embeddings that are easily read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bandmate.models.bundle import Bundle, ConditioningSpec, Defaults, GuidanceScale
from bandmate.models.registry import find_bundle


def styled_bundle() -> Bundle:
    """Its description."""
    scale = GuidanceScale("style", -1.0, 7.0, 0.2)
    return replace(
        find_bundle("testtone"),
        conditioning=ConditioningSpec(
            style_levels=4, style_codes=10, onset_phases=4, guidance=(scale, scale, scale)
        ),
        defaults=Defaults(temperature=0.7, top_k=9, guidance=(1.0, 2.0, 3.0)),
    )


class RoundingEncoder:
    """A real quantiser of tiny embeddings: rounds each number."""

    dim = 4

    def __init__(self) -> None:
        self.calls = 0

    def encode_text(self, text: str) -> np.ndarray:
        return np.full(self.dim, len(text), np.float32)

    def encode_audio(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        return np.full(self.dim, len(audio) / sample_rate, np.float32)

    def quantise(self, embedding: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.round(embedding).astype(np.int32)
