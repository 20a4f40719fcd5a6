# SPDX-License-Identifier: GPL-3.0-or-later
"""Six style slots, blended in embedding space and turned into style codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import StyleEncoder
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
        slots = self._slots
        key = (slots, tuple(weights))
        if self._cached is None or self._cached[0] is not slots or self._cached[1] != key[1]:
            self._codes = self._blend(slots, weights)
            self._cached = key
        return self._codes

    def _blend(self, slots: Mapping[int, Embedding], weights: Sequence[float]) -> NDArray[np.int32]:
        if self._encoder is None or not slots:
            return np.full(self._levels, STYLE_MASKED, np.int32)
        told = {slot for slot, e in slots.items() if np.issubdtype(e.dtype, np.integer)}
        if told == slots.keys() and len(told) == 1:
            return slots[min(told)].astype(np.int32)
        slots = {slot: e for slot, e in slots.items() if slot not in told}
        if not slots:
            return np.full(self._levels, STYLE_MASKED, np.int32)
        active = [(weights[slot], e) for slot, e in sorted(slots.items()) if weights[slot] > 0.0]
        if not active:
            active = [(1.0, slots[min(slots)])]
        total = sum(weight for weight, _ in active)
        blend = sum((np.float32(weight / total) * e for weight, e in active), np.float32(0.0))
        codes = np.asarray(self._encoder.quantise(np.asarray(blend, np.float32)), np.int32)
        if codes.shape != (self._levels,):
            raise ValueError(
                f"style encoder gave codes {codes.shape}, the model takes {self._levels}"
            )
        return codes
