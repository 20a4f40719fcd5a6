# SPDX-License-Identifier: GPL-3.0-or-later
"""What the style encoder sees of a prompt: hashed n-grams of a text, statistics of a sound."""

from __future__ import annotations

import re
import unicodedata
import zlib

import numpy as np
from numpy.typing import NDArray

TEXT_BUCKETS = 8192
POOLED_BANDS = 48


def text_buckets(text: str) -> NDArray[np.int32]:
    """Hash buckets of a text's words and character n-grams (three to five letters).

    Case, accents and punctuation do not matter; the empty text has one bucket of its own. N-grams
    keep words with a typo or an ending near the word that was meant.
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    words = re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c)))
    grams = [""] if not words else []
    for word in words:
        marked = f"<{word}>"
        grams.append(marked)
        for size in (3, 4, 5):
            grams += [marked[i : i + size] for i in range(len(marked) - size + 1)]
    hashes = [zlib.crc32(g.encode()) % TEXT_BUCKETS for g in grams]
    return np.array(hashes, np.int32)


def statistics_width() -> int:
    """Values that `audio_statistics` returns."""
    return 5 * POOLED_BANDS + 8


def audio_statistics(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Statistics of a sound that tell its timbre and not its melody.

    Args:
        features: [frames, hops, bands] codec features in 0..1.

    Returns:
        [statistics_width()] float32: over the sounding hops, each pooled band's mean, deviation,
        peakiness, rise and fall; then how the whole level moves, and how much of it sounds.
    """
    hops = features.reshape(-1, features.shape[-1])
    level = hops.max(axis=1)
    sounding = hops[level > max(0.25, 0.6 * float(level.max()))]
    if len(sounding) < 2:
        sounding = hops[:2] if len(hops) > 1 else np.repeat(hops[:1], 2, 0)
    pooled = sounding[:, : sounding.shape[1] // POOLED_BANDS * POOLED_BANDS]
    pooled = pooled.reshape(len(sounding), POOLED_BANDS, -1)
    mean, peak = pooled.mean(axis=2), pooled.max(axis=2)
    change = np.diff(mean, axis=0)
    envelope = hops.mean(axis=1)
    steps = np.diff(envelope)
    places = (0.01, 0.05, 0.25, 0.75, 0.95, 0.99)
    spread = np.quantile(steps, places) * 10 if len(steps) else np.zeros(6)
    return np.concatenate(
        [
            mean.mean(axis=0),
            mean.std(axis=0),
            (peak - mean).mean(axis=0),
            np.clip(change, 0, None).mean(axis=0) * 10,
            np.clip(-change, 0, None).mean(axis=0) * 10,
            spread,
            [float((level > 0.3).mean()), float(sounding.mean())],
        ]
    ).astype(np.float32)
