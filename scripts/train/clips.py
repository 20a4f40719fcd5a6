# SPDX-License-Identifier: GPL-3.0-or-later
"""One training clip: who plays, what they play, and how it sounds."""

from __future__ import annotations

from dataclasses import dataclass

import captions
import effects
import numpy as np
from grooves import groove
from notes import SAMPLE_RATE, TICK, TICKS_PER_FRAME, Note, without_collisions
from numpy.typing import NDArray
from performance import JITTERED, perform, rests
from phrases import Setting, pitched, setting
from sounds import STYLES, Style
from sources.player import pan_gains, play
from sources.soundfont import soundfont
from sources.synths import SYNTHS

TOGETHER = 0.18  # of the clips with a pitched family have more than one instrument
PARTNERS = {
    "comp": (("bass",), ("line",), ("drums",), ("bass", "drums"), ("comp",), ("line", "bass")),
    "line": (("comp",), ("comp", "bass"), ("comp", "drums")),
    "bass": (("drums",), ("comp",), ("comp", "drums")),
}
PEDALS = ("grand piano", "electric piano", "mallets", "harp")


@dataclass(frozen=True)
class Clip:
    """Audio [samples, 2] and what is known of it.

    Attributes:
        notes: what the roll tells: pitched notes, or the hits of a clip of drums alone.
        family: index in STYLES of the main instrument.
        drums: drums are heard.
        effects: bitmask, see effects.py.
        instruments: what plays, the main one first.
        sound: the very sound of the main one: its source and, of a soundfont, its program.
    """

    audio: NDArray[np.float32]
    notes: list[Note]
    family: int
    drums: bool
    effects: int
    caption: str
    instruments: tuple[str, ...]
    sound: str


def make(rng: np.random.Generator, family: int, frames: int, only: tuple[str, ...] = ()) -> Clip:
    """Draws and renders a clip.

    Args:
        only: names of synthesised sounds, or "soundfont", that may play, if any is named; such
            clips have one instrument.
    """
    style, ticks = STYLES[family], frames * TICKS_PER_FRAME
    s = setting(rng, style, ticks)
    styles = [style]
    if not style.drums and not only and rng.random() < TOGETHER:
        choices = PARTNERS[style.role]
        styles += [_partner(rng, r, style) for r in choices[rng.integers(len(choices))]]
    jitter, samples = bool(rng.random() < JITTERED), ticks * TICK
    audio, words, told, softness = np.zeros((samples, 2), np.float32), [], [], []
    sounds = []
    for number, player in enumerate(styles):
        part = _part(rng, s, player, number > 0, jitter)
        sound, names, source = _sound(rng, player, part, samples, only)
        sounds.append(source)
        place = rng.uniform(-0.25, 0.25) if number == 0 else rng.uniform(-0.5, 0.5)
        place *= 0.0 if player.role in ("bass", "drums") else 1.0
        level = 1.0 if number == 0 else rng.uniform(0.5, 0.95)
        audio += sound * (pan_gains(place) * np.float32(level))
        words.append(names)
        softness += [n.velocity for n in part]
        if not player.drums or len(styles) == 1:
            told += part
    chain = effects.draw(
        rng, drive=style.name in ("guitar", "organ", "synth lead", "bass", "drums")
    )
    traits = _traits(softness, s, words[0])
    caption = captions.clip_caption(rng, styles, words, traits, chain.words)
    return Clip(
        effects.apply(chain, audio), without_collisions(told), family,
        any(p.drums for p in styles), chain.mask, caption, tuple(w[0] for w in words), sounds[0],
    )  # fmt: skip


def _partner(rng: np.random.Generator, role: str, main: Style) -> Style:
    fitting = [s for s in STYLES if s.role == role and s is not main]
    shares = np.array([s.share for s in fitting])
    return fitting[rng.choice(len(fitting), p=shares / shares.sum())]


def _part(
    rng: np.random.Generator, s: Setting, style: Style, second: bool, jitter: bool
) -> list[Note]:
    s = Setting(s.ticks, s.beat, s.root, s.steps, style.low, style.high)
    if style.drums:
        return perform(rng, rests(rng, groove(rng, s), s), s, jitter, False)
    role = "line" if second and style.role == "comp" and rng.random() < 0.2 else style.role
    notes = pitched(rng, s, role)
    return perform(rng, rests(rng, notes, s), s, jitter, style.name in PEDALS)


def _sound(
    rng: np.random.Generator, style: Style, notes: list[Note], samples: int, only: tuple[str, ...]
) -> tuple[NDArray[np.float32], tuple[str, ...], str]:
    """A part's sound, names for it, and the source's own name."""
    shares = dict(style.synths)
    shares["soundfont"] = 1 - sum(shares.values())
    if only:
        shares = {name: share for name, share in shares.items() if name in only}
    weights = np.array(list(shares.values()))
    name = list(shares)[rng.choice(len(shares), p=weights / weights.sum())]
    if name != "soundfont":
        voice = SYNTHS[name](rng)
        names = (*_names_first(voice.words, style), name)
        return play(voice, notes, samples, style.wide), names, name
    which, font = int(rng.integers(len(style.programs))), int(rng.choice(style.fonts))
    source = soundfont(font, style.programs[which], style.drums)
    width = style.wide * rng.uniform(0.4, 1)
    name = style.instruments[which]
    return source.play(notes, samples, width), (name,), f"{name}, soundfont {font}"


def _names_first(words: tuple[str, ...], style: Style) -> tuple[str, ...]:
    """Only names of the instrument; adjectives are the traits' part."""
    known = {*style.words, *style.instruments, style.name}
    return tuple(w for w in words if w in known or " " in w) or words[:1]


def _traits(velocities: list[int], s: Setting, names: tuple[str, ...]) -> list[str]:
    out = []
    if velocities:
        mean = float(np.mean(velocities))
        out += ["soft"] if mean < 60 else ["loud"] if mean > 110 else []
    tempo = 60 * SAMPLE_RATE / TICK / s.beat
    out += ["slow"] if tempo < 80 else ["fast"] if tempo > 150 else []
    return out
