# SPDX-License-Identifier: GPL-3.0-or-later
"""Sounds whose answer is known, for the tests of what measures sounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bandmate.report.notes import Note

RATE = 48_000
Floats = NDArray[np.float32]


def tones(
    notes: Sequence[Note],
    seconds: float,
    shift: float = 0.0,
    partials: Sequence[float] = (1.0, 0.5, 0.33),
    decay: float = 2.0,
    attack: float = 0.002,
) -> Floats:
    """A plain tone for each note [samples, 2] in the middle, `shift` seconds late.

    Args:
        partials: amplitudes of the fundamental and what is above it.
        decay: of the level, nepers a second.
        attack: seconds of a straight rise.
    """
    audio = np.zeros(round(seconds * RATE))
    for note in notes:
        t = np.arange(round((note.end - note.start) * RATE)) / RATE
        frequency = 440 * 2 ** ((note.pitch - 69) / 12)
        tone = sum(a * np.sin(2 * np.pi * frequency * (n + 1) * t) for n, a in enumerate(partials))
        envelope = (
            np.exp(-decay * t) * np.clip(t / attack, 0, 1) * np.clip((t[-1] - t) / 0.02, 0, 1)
        )
        start = max(0, round((note.start + shift) * RATE))
        piece = audio[start : start + len(t)]
        piece += (0.1 * tone * envelope)[: len(piece)]
    return np.repeat(audio[:, None], 2, axis=1).astype(np.float32)


def sine(hertz: float, seconds: float, level: float = 0.1) -> Floats:
    """[samples, 2] in the middle."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)
