# SPDX-License-Identifier: GPL-3.0-or-later
"""The sounds the bundled model learns from, and the words that name them.

Every source is a freely licensed soundfont in Debian (docs/licences.md). A style is a family of
General MIDI programs; its words are the captions the style encoder is trained on.
"""

from __future__ import annotations

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


STYLES = (
    Style(
        "grand piano", (0, 0, 1), 36, 96, 0.34,
        ("piano", "acoustic piano", "concert grand", "classical piano", "solo piano", "jazz piano", "warm piano", "upright piano",
         "bright piano", "keys", "steinway", "ballad piano", "pianoforte", "keyboard"), fonts=(0,),
    ),
    Style(
        "electric piano", (4, 5), 36, 90, 0.08,
        ("rhodes", "wurlitzer", "e-piano", "ep", "fender rhodes", "electric keys", "soul keys", "neo soul electric piano", "dx7", "fm piano", "lofi keys",
         "mellow electric piano", "tine piano"),
    ),
    Style(
        "guitar", (24, 25, 26), 40, 84, 0.08,
        ("acoustic guitar", "nylon guitar", "steel string guitar", "classical guitar", "fingerpicked guitar", "plucked guitar", "spanish guitar",
         "folk guitar", "flamenco", "jazz guitar", "clean guitar", "strummed guitar"),
    ),
    Style(
        "mallets", (11, 12, 9), 48, 96, 0.07,
        ("vibraphone", "marimba", "vibes", "glockenspiel", "xylophone", "mallet percussion", "bells", "wooden mallets", "tuned percussion", "chimes",
         "soft mallets", "kalimba", "music box"),
    ),
    Style(
        "organ", (16, 17, 19), 36, 90, 0.06,
        ("hammond organ", "church organ", "pipe organ", "drawbar organ", "b3", "gospel organ", "rock organ", "cathedral organ", "leslie", "tonewheel organ"),
    ),
    Style(
        "strings", (48, 49, 44), 36, 88, 0.06,
        ("string ensemble", "string section", "violins", "orchestral strings", "cinematic strings", "cello section", "lush strings", "orchestra", "symphonic strings",
         "slow strings", "film score strings", "tremolo strings"),
    ),
    Style(
        "brass", (56, 61, 57), 44, 84, 0.05,
        ("trumpet", "brass section", "horns", "trombone", "big band brass", "fanfare", "horn section", "muted trumpet", "jazz trumpet", "brass band"),
    ),
    Style(
        "flute", (73, 74, 75), 58, 96, 0.05,
        ("recorder", "woodwind", "pan flute", "concert flute", "pipe", "airy flute", "wooden flute", "whistle", "breathy flute", "ocarina"),
    ),
    Style(
        "synth lead", (80, 81, 87), 40, 96, 0.05,
        ("lead synth", "saw lead", "square lead", "analog lead", "chiptune", "8-bit", "retro synth", "monosynth", "edm lead", "sawtooth", "bright synth", "electro"),
    ),
    Style(
        "synth pad", (89, 90, 94), 36, 88, 0.05,
        ("pad", "warm pad", "ambient pad", "ambient", "atmosphere", "dreamy pad", "soft pad", "drone", "soundscape", "evolving pad", "spacey synth", "new age"),
    ),
    Style(
        "bass", (33, 32, 38), 28, 60, 0.05,
        ("bass guitar", "electric bass", "upright bass", "synth bass", "fingered bass", "double bass", "bassline", "funk bass", "sub bass", "deep bass", "low end"),
    ),
    Style(
        "drums", (0, 8, 16, 24, 25), 35, 59, 0.06,
        ("drum kit", "drum set", "drum machine", "beat", "percussion", "rock drums", "808", "acoustic drums", "breakbeat", "hip hop drums", "kick and snare", "rhythm",
         "groove", "electronic drums"),
        drums=True,
    ),
)  # fmt: skip
