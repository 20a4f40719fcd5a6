# SPDX-License-Identifier: GPL-3.0-or-later
"""The sounds the bundled model learns from, and the words that name them.

A sound comes from a freely licensed soundfont in Debian (docs/licences.md) or from synthesis of
our own (`sources/`). A style is a family of sounds; its words are what musicians call it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),  # fluid-soundfont-gm, MIT
    Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3"),  # musescore-general-soundfont, MIT
)
DRUM_BANK = 128


@dataclass(frozen=True)
class Style:
    """One family of sounds.

    Attributes:
        name: short name, also the first caption.
        programs: General MIDI programs, 0-based (drum kits in bank 128 when `drums`).
        instruments: what each program is called in captions.
        low, high: the pitches phrases are written in, MIDI numbers.
        share: part of the training clips.
        words: captions; each is a way a musician would ask for this sound.
        genres: kinds of music it is at home in.
        role: what it does in a band: comp, line, bass or drums.
        wide: how far low and high notes stand apart from left to right, 0 to 1.
        drums: the pitches are General MIDI percussion keys.
        fonts: which of SOUNDFONTS have this sound in usable form (the second one's piano plays
            40 dB too low in tinysoundfont).
        synths: synthesised sounds (see `sources`) and their part of the family's clips; the rest
            is played by soundfonts.
    """

    name: str
    programs: tuple[int, ...]
    instruments: tuple[str, ...]
    low: int
    high: int
    share: float
    words: tuple[str, ...]
    genres: tuple[str, ...]
    role: str
    wide: float
    drums: bool = False
    fonts: tuple[int, ...] = (0, 1)
    synths: dict[str, float] = field(default_factory=dict)


_DATA = json.loads(Path(__file__).with_name("sounds.json").read_text(encoding="utf-8"))
STYLES = tuple(
    Style(**{key: tuple(v) if isinstance(v, list) else v for key, v in row.items()})
    for row in _DATA["styles"]
)
ADJECTIVES: tuple[str, ...] = tuple(_DATA["adjectives"])
TEMPLATES: tuple[str, ...] = tuple(_DATA["templates"])
