# SPDX-License-Identifier: GPL-3.0-or-later
"""Six style slots, blended in embedding space and turned into style codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import StyleEncoder, StyleShare
from bandmate.session.parameters import STYLE_SLOTS

STYLE_MASKED = -1

Embedding = NDArray[np.float32] | NDArray[np.int32]


class StyleSlots:
    """The prompts of one session as embeddings, and the codes of their blend.

    `replace` may be called from any thread; `codes` belongs to the inference thread.
    """

    def __init__(self, encoder: StyleEncoder | None, levels: int) -> None:
        """Starts with empty slots.

        Args:
            encoder: the model's style encoder; None for a model without styles.
            levels: style codes per frame, 0 without styles.
        """
        self._encoder = encoder
        self._levels = levels
        self._slots: dict[int, Embedding] = {}
        self._cached: tuple[object, tuple[float, ...]] | None = None
        self._codes = np.full(levels, STYLE_MASKED, np.int32)
        self._shares: tuple[StyleShare, ...] = ()
        self._owned: dict[int, tuple[Embedding, NDArray[np.int32]]] = {}

    def replace(self, embeddings: Mapping[int, Embedding]) -> None:
        """Puts new embeddings [dim] in force for all slots at once; slots left out are empty.

        A slot may hold style codes themselves, int32 [levels]. They cannot be blended: they are in
        force if no other slot is filled, and left out otherwise.
        """
        # One store of a new dict: the inference thread sees all of the old or all of the new.
        self._slots = {slot: e for slot, e in embeddings.items() if 0 <= slot < STYLE_SLOTS}

    def codes(self, weights: Sequence[float]) -> NDArray[np.int32]:
        """Style codes [levels] of sum(w_i * e_i) / sum(w_i) over the filled slots.

        With all weights zero the first filled slot counts; without any the style is left to the
        model (all codes masked). Computed anew only after a change.
        """
        self._update(weights)
        return self._codes

    def shares(self, weights: Sequence[float]) -> tuple[StyleShare, ...]:
        """The prompts of that blend, each with its own codes; empty without any."""
        self._update(weights)
        return self._shares

    def _update(self, weights: Sequence[float]) -> None:
        slots = self._slots
        key = (slots, tuple(weights))
        if self._cached is None or self._cached[0] is not slots or self._cached[1] != key[1]:
            self._codes, self._shares = self._blend(slots, weights)
            self._cached = key

    def _blend(
        self, slots: Mapping[int, Embedding], weights: Sequence[float]
    ) -> tuple[NDArray[np.int32], tuple[StyleShare, ...]]:
        nothing = np.full(self._levels, STYLE_MASKED, np.int32), ()
        if self._encoder is None or not slots:
            return nothing
        told = {slot for slot, e in slots.items() if np.issubdtype(e.dtype, np.integer)}
        if told == slots.keys() and len(told) == 1:
            codes = slots[min(told)].astype(np.int32)
            return codes, (StyleShare(min(told), 1.0, codes),)
        slots = {slot: e for slot, e in slots.items() if slot not in told}
        if not slots:
            return nothing
        active = {slot: weights[slot] for slot in sorted(slots) if weights[slot] > 0.0}
        active = active or {min(slots): 1.0}
        total = sum(active.values())
        parts = {slot: np.float32(weight / total) for slot, weight in active.items()}
        shares = tuple(StyleShare(s, float(w), self._own(s, slots[s])) for s, w in parts.items())
        if len(shares) == 1:
            return shares[0].codes, shares
        return self._quantised(np.sum([w * slots[s] for s, w in parts.items()], axis=0)), shares

    def _own(self, slot: int, embedding: Embedding) -> NDArray[np.int32]:
        """Codes of one slot's embedding, kept while it stays."""
        known = self._owned.get(slot)
        if known is None or known[0] is not embedding:
            known = self._owned[slot] = embedding, self._quantised(embedding)
        return known[1]

    def _quantised(self, embedding: Embedding) -> NDArray[np.int32]:
        assert self._encoder is not None
        codes = np.asarray(self._encoder.quantise(np.asarray(embedding, np.float32)), np.int32)
        if codes.shape != (self._levels,):
            raise ValueError(
                f"style encoder gave codes {codes.shape}, the model takes {self._levels}"
            )
        return codes
