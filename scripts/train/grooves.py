# SPDX-License-Identifier: GPL-3.0-or-later
"""Random drum patterns for training, in ticks of 5 ms; pitches are General MIDI percussion keys."""

from __future__ import annotations

import numpy as np
from notes import Note
from phrases import LAST_START, Setting, free

KICK, STICK, SNARE, CLAP, CLOSED_HAT, OPEN_HAT, CRASH, RIDE = 36, 37, 38, 39, 42, 46, 49, 51
TOMS = (41, 43, 45, 47, 48, 50)
HIT = 16  # ticks a hit is written as


def groove(rng: np.random.Generator, s: Setting) -> list[Note]:
    """A pattern on sixteenths, straight or swung, that changes from bar to bar, or free hits."""
    if rng.random() < 0.15:
        return [Note(n.start, n.start + HIT, n.pitch) for n in free(rng, s)]
    sixteenth, slots = s.beat / 4, np.arange(16)
    swing = rng.uniform(0, 0.33) * sixteenth if rng.random() < 0.3 else 0.0
    four = rng.random() < 0.25
    kick = slots % 4 == 0 if four else rng.random(16) < np.where(slots % 4 == 0, 0.6, 0.15)
    snare = rng.random(16) < np.where(slots % 8 == 4, 0.9, 0.06)
    hats = slots % int(rng.choice((1, 2, 4))) == 0
    cymbal = RIDE if rng.random() < 0.25 else CLOSED_HAT
    back = int(rng.choice((SNARE, SNARE, 40, STICK, CLAP)))
    notes, slot = [], 0
    while True:
        in_bar, hits = slot % 16, []
        at = round(slot * sixteenth + (swing if slot % 2 else 0))
        if at >= s.ticks - LAST_START:
            return notes
        if in_bar == 0 and rng.random() < 0.15:
            hits.append((CRASH, 110))
        if kick[in_bar] ^ (rng.random() < 0.04):
            hits.append((KICK, 104 if in_bar % 4 == 0 else 88))
        if snare[in_bar] ^ (rng.random() < 0.04):
            hits.append((back, 104 if in_bar % 8 == 4 else 60))
        if hats[in_bar]:
            loud = 92 if in_bar % 4 == 0 else 72
            hits.append((OPEN_HAT if rng.random() < 0.08 else cymbal, loud))
        if in_bar >= 12 and rng.random() < 0.12:
            hits.append((int(rng.choice(TOMS)), 96))
        notes += [Note(at, at + HIT, pitch, velocity) for pitch, velocity in hits]
        slot += 1
