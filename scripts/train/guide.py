# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guidance scales mean: how far the model may trust its style, notes and drum switch.

In training a scale says how often its conditioning is wrong, and the model learns to lean on it as
much as it deserves. From `TRUSTED` on it is always right; at the lowest it nearly never is.
"""

from __future__ import annotations

import numpy as np

LOW, HIGH = -1.0, 7.0
STEPS = (0.2, 0.2, 1.0)  # style, notes, drums
TRUSTED = np.array([3.0, 1.0, 1.0])  # the defaults of a session
TRUSTED_BINS = np.round((TRUSTED - LOW) / STEPS).astype(np.int64)
MOST_DOUBT = 0.85
PLAIN = 0.7  # of the crops are played at trusted scales only


def draw(rng: np.random.Generator) -> np.ndarray:
    """Bins [3] of a crop's scales."""
    low = TRUSTED if rng.random() < PLAIN else np.full(3, LOW)
    return np.round((rng.uniform(low, HIGH) - LOW) / STEPS).astype(np.int64)


def doubt(bins: np.ndarray) -> np.ndarray:
    """Chance [3] that each conditioning is wrong."""
    scale = LOW + bins * np.array(STEPS)
    return MOST_DOUBT * np.clip((TRUSTED - scale) / (TRUSTED - LOW), 0, 1)


def misplay(rng: np.random.Generator, notes: np.ndarray, others: np.ndarray) -> None:
    """Tells of notes that are not played, or not of those that are, in place.

    Args:
        notes, others: [frames, 128] values as the model is told them; `others` of another clip.
    """
    kind = rng.integers(4)
    if kind == 0:  # some pitches are not told of
        played = np.flatnonzero((notes > 0).any(0))
        notes[:, played[rng.random(len(played)) < rng.uniform(0.3, 1.0)]] = 0
    elif kind == 1:  # in another key
        notes[:] = np.roll(notes, int(rng.choice((-12, -7, -5, -2, 2, 5, 7, 12))), 1)
    elif kind == 2:  # another clip's notes on top
        silent = ~(notes > 0).any(0) & (rng.random(128) < rng.uniform(0.3, 1.0))
        notes[:, silent] = others[:, silent]
    else:
        notes[:] = others
