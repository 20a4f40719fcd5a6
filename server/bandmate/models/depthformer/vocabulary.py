# SPDX-License-Identifier: GPL-3.0-or-later
"""Token ids: how raw conditioning values and codec codes become rows of embedding tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import ConditioningSpec, GuidanceScale
from bandmate.models.interface import PITCHES, FrameControls

RESERVED = 6  # ids 0..5 of every vocabulary; codec codes start here
START = 0  # "previous codes" of a stream's first frame
MASK = 6  # the id of a masked conditioning channel
OFFSET = 7  # added to every raw conditioning value; raw -1 becomes MASK
DRUM_VALUES = 2
ROW_MULTIPLE = 128  # the regular table is padded to a multiple of this many rows


def guidance_bin(scale: GuidanceScale, value: float) -> int:
    """The bin of a guidance scale, rounding half to even in float64."""
    clamped = min(max(float(value), scale.low), scale.high)
    return int(np.round((clamped - scale.low) / scale.step))


def guidance_bins_float32(scale: GuidanceScale, values: mx.array) -> mx.array:
    """The bins int32 [n] of float32 values [n] as an exported function computes them: in float32.

    At a few half-way points this is another bin than `guidance_bin`'s.
    """
    clamped = mx.clip(values, scale.low, scale.high)
    return mx.round((clamped - scale.low) / scale.step).astype(mx.int32)


def guidance_bins(scale: GuidanceScale) -> int:
    """Number of bins of a guidance scale."""
    return int(np.round((scale.high - scale.low) / scale.step)) + 1


@dataclass(frozen=True)
class ConditioningLayout:
    """Where each conditioning channel stands and which table rows it uses.

    Channels are, in order: style levels, 128 pitches, drums, guidance scales. The style levels
    have one table, all the others share the "regular" table at their own row offsets.
    """

    spec: ConditioningSpec

    @property
    def notes(self) -> slice:
        start = self.spec.style_levels
        return slice(start, start + PITCHES)

    @property
    def style(self) -> slice:
        return slice(0, self.spec.style_levels)

    @property
    def channels(self) -> int:
        return self.spec.style_levels + PITCHES + 1 + len(self.spec.guidance)

    @property
    def style_vocabulary(self) -> int:
        """Rows of one style level."""
        return self.spec.style_codes + OFFSET

    @property
    def style_rows(self) -> int:
        return self.spec.style_levels * self.style_vocabulary

    @property
    def regular_vocabularies(self) -> list[int]:
        """Rows of each channel after the style levels."""
        notes = [self.spec.note_values + OFFSET] * PITCHES
        guidance = [guidance_bins(scale) + RESERVED for scale in self.spec.guidance]
        return [*notes, DRUM_VALUES + OFFSET, *guidance]

    @property
    def regular_rows(self) -> int:
        """Rows of the regular table, padding included.

        Guidance bins are placed at OFFSET although their vocabularies reserve one id less, so
        the top bin of the last channel needs one row of the padding.
        """
        used = sum(self.regular_vocabularies) + OFFSET - RESERVED
        return -(-used // ROW_MULTIPLE) * ROW_MULTIPLE

    def row_offsets(self) -> NDArray[np.int32]:
        """First table row of every channel, int32 [channels]."""
        style = np.arange(self.spec.style_levels) * self.style_vocabulary
        regular = np.concatenate([[0], np.cumsum(self.regular_vocabularies)[:-1]])
        return np.concatenate([style, regular]).astype(np.int32)

    def tokens(self, controls: Sequence[FrameControls]) -> NDArray[np.int32]:
        """Ids [n, channels] of n sessions' controls.

        Raises:
            ValueError: a style or note array has the wrong length or a value out of range.
        """
        out = np.empty((len(controls), self.channels), np.int32)
        for row, control in zip(out, controls, strict=True):
            row[self.style] = _checked(
                "style", control.style, self._style_shape, self.spec.style_codes
            )
            row[self.notes] = _checked("notes", control.notes, (PITCHES,), self.spec.note_values)
            drums = np.array([control.drums])
            row[self.notes.stop] = _checked("drums", drums, (1,), DRUM_VALUES)[0]
            for index, (scale, value) in enumerate(
                zip(self.spec.guidance, control.guidance, strict=True), self.notes.stop + 1
            ):
                row[index] = guidance_bin(scale, value)
        return out + OFFSET

    @property
    def _style_shape(self) -> tuple[int, ...]:
        return (self.spec.style_levels,)

    def negatives(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """Rows for logit guidance: ids [n, 3, channels] = full, style masked, notes masked."""
        rows = np.repeat(tokens[:, None], 3, axis=1)
        rows[:, 1, self.style] = MASK
        rows[:, 2, self.notes] = MASK
        return rows

    def blends(
        self, tokens: NDArray[np.int32], styles: Sequence[Sequence[NDArray[np.int32]]]
    ) -> NDArray[np.int32]:
        """Rows for a blend's prompts: ids [n, prompts, channels], each with its own style.

        Args:
            tokens: [n, channels].
            styles: raw style codes [style_levels] of each prompt of each session.

        Raises:
            ValueError: as `tokens`.
        """
        rows = np.repeat(tokens[:, None], len(styles[0]), axis=1)
        for session, prompts in zip(rows, styles, strict=True):
            for row, codes in zip(session, prompts, strict=True):
                row[self.style] = OFFSET + _checked(
                    "style", codes, self._style_shape, self.spec.style_codes
                )
        return rows


def _checked(
    name: str, values: NDArray[np.int32], shape: tuple[int, ...], count: int
) -> NDArray[np.int32]:
    values = np.asarray(values)
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {values.shape}")
    if values.min() < -1 or values.max() >= count:
        raise ValueError(f"{name} must be in -1..{count - 1}, got {values.min()}..{values.max()}")
    return values.astype(np.int32)
