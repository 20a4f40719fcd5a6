# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a note has sounded, or has been silent: what a pitch may be told beside its onset.

With it a frame's conditioning says all that a ringing note depends on, and a model need not read
from its own last codes how far a note has decayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

STRENGTHS = 128  # MIDI velocities


@cache
def ages(count: int) -> NDArray[np.int64]:
    """First frame of each of `count` ages: 1, 2, 3, 4, 6, 8, 12 and so on, two an octave."""
    octaves = np.array([[2**e, 3 * 2**e // 2] for e in range(1, 1 + count // 2)], np.int64)
    return np.concatenate([[1], octaves.reshape(-1)])[:count]


@dataclass(frozen=True)
class NoteHistory:
    """Values of a pitch that come after those of onsets (see docs/model.md).

    Attributes:
        first: the first of these values.
        held: ages of a note that sounds, 0 for none of this.
        released: ages of a note that has ended. After the last one it is told as off.
        levels: of its velocity, told with each.
    """

    first: int = 0
    held: int = 0
    released: int = 0
    levels: int = 1

    @property
    def count(self) -> int:
        """How many values there are."""
        return (self.held + self.released) * self.levels

    def held_value(self, frames: NDArray[np.integer], velocity: NDArray[np.integer]) -> NDArray:
        """Of notes that began `frames` (1..) frames ago; arrays or numbers alike."""
        age = np.searchsorted(ages(self.held), frames, side="right") - 1
        return self.first + velocity * self.levels // STRENGTHS * self.held + age

    def released_value(self, frames: NDArray[np.integer], velocity: NDArray[np.integer]) -> NDArray:
        """Of notes that have been silent for `frames` frames (1..); 0 where that is long."""
        edges = ages(self.released + 1)
        age = np.searchsorted(edges, frames, side="right") - 1
        first = self.first + self.held * self.levels
        value = first + velocity * self.levels // STRENGTHS * self.released + age
        return np.where(np.asarray(frames) < edges[-1], value, 0)

    def told(
        self, sounding: NDArray[np.bool_], onset: NDArray[np.bool_], velocity: NDArray[np.integer]
    ) -> NDArray[np.int64]:
        """The values of whole streams; 0 at onsets and where nothing is to be told.

        Args:
            sounding, onset, velocity: [..., frames, pitches]; velocities where a note sounds.
        """
        frames = sounding.shape[-2]
        out = np.zeros(sounding.shape, np.int64)
        since = np.zeros((*sounding.shape[:-2], sounding.shape[-1]), np.int64)  # 0: never sounded
        strength = np.zeros_like(since)
        before = np.zeros(since.shape, bool)
        for t in range(frames):
            now, begins = sounding[..., t, :], onset[..., t, :]
            since = np.where(begins, 0, np.where(now != before, 1, since + (strength > 0)))
            strength = np.where(now, velocity[..., t, :], strength)
            held = now & ~begins
            rings = ~now & (strength > 0)
            out[..., t, :] = np.where(held, self.held_value(since, strength), 0)
            if self.released:
                ended = self.released_value(since, strength)
                out[..., t, :] = np.where(rings, ended, out[..., t, :])
            before = now
        return out
