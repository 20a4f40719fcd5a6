# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the test tone's clicks are: its one loudest sample is the note's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bandmate.models.testtone import CLICK_LEVEL, SINE_LEVEL

# Above the sine that follows, below what a resampler leaves of a click between two samples.
THRESHOLD = (0.6 * CLICK_LEVEL + SINE_LEVEL) / 2


def clicks(audio: NDArray[np.float32], gap: int = 200) -> list[int]:
    """Samples at which notes start in one channel; starts nearer than `gap` count as one."""
    level = np.abs(audio)
    loud = np.flatnonzero(level > THRESHOLD)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > gap) + 1)
    return [int(group[np.argmax(level[group])]) for group in groups if len(group)]


def sharp_clicks(audio: NDArray[np.float32]) -> list[int]:
    """The same at the model's own rate: a click is one sample, and other notes may sound on."""
    bend = np.abs(audio[1:-1] - (audio[:-2] + audio[2:]) / 2)
    return [int(at) + 1 for at in np.flatnonzero(bend > 0.7 * CLICK_LEVEL)]
