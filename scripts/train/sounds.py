# SPDX-License-Identifier: GPL-3.0-or-later
"""The sounds the bundled model learns from, and the words that name them.

Every source is a freely licensed soundfont in Debian (docs/licences.md). A style is a family of
General MIDI programs; its words are the captions the style encoder is trained on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
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
        low, high: the pitches phrases are written in, MIDI numbers.
        share: part of the training clips.
        words: captions; each is a way a musician would ask for this sound.
        drums: the pitches are General MIDI percussion keys.
        fonts: which of SOUNDFONTS have this sound in usable form (the second one's piano plays
            40 dB too low in tinysoundfont).
    """

    name: str
    programs: tuple[int, ...]
    low: int
    high: int
    share: float
    words: tuple[str, ...]
    drums: bool = False
    fonts: tuple[int, ...] = (0, 1)


_DATA = json.loads(Path(__file__).with_name("sounds.json").read_text(encoding="utf-8"))
STYLES = tuple(
    Style(**{key: tuple(v) if isinstance(v, list) else v for key, v in row.items()})
    for row in _DATA["styles"]
)
ADJECTIVES: tuple[str, ...] = tuple(_DATA["adjectives"])
TEMPLATES: tuple[str, ...] = tuple(_DATA["templates"])
