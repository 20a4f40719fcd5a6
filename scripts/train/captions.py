# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for clips and for styles: what a musician would type to ask for such a sound."""

from __future__ import annotations

import numpy as np
from sounds import ADJECTIVES, STYLES, TEMPLATES, Style


def clip_caption(
    rng: np.random.Generator,
    styles: list[Style],
    words: list[tuple[str, ...]],
    traits: list[str],
    effects: tuple[str, ...],
) -> str:
    """A caption of what is really heard.

    Args:
        styles: families playing, the main one first.
        words: names for each one's sound, the first the most exact.
        traits: adjectives that are true of the clip, such as "soft" or "fast".
        effects: see `effects.Chain`.
    """
    names = []
    for style, own in zip(styles, words, strict=True):
        names.append(own[0] if rng.random() < 0.65 else str(rng.choice((style.name, *own))))
    before = [e for e in effects if not e.startswith(("in ", "with "))]
    after = [e for e in effects if e.startswith(("in ", "with "))]
    adjectives = [*traits, *before]
    rng.shuffle(adjectives)
    text = " ".join([*adjectives[: int(rng.integers(0, 3))], names[0]])
    if len(names) > 1:
        text += (" and " if len(names) == 2 else ", ") + " and ".join(names[1:])
    if rng.random() < 0.5:
        text += ", " + str(rng.choice(styles[0].genres))
    if after:
        text += ", " + " ".join(after)
    return text


def style_caption(rng: np.random.Generator, family: int) -> str:
    """A way to ask for a family, with a typo now and then."""
    s = STYLES[family]
    return sound_caption(rng, family, str(rng.choice((s.name, *s.words, *s.instruments))))


def sound_caption(rng: np.random.Generator, family: int, name: str) -> str:
    """A way to ask for a sound of a family by its name, with a typo now and then."""
    s = STYLES[family]
    text = str(rng.choice(TEMPLATES)).format(
        w=name,
        a=rng.choice(ADJECTIVES),
        b=rng.choice(ADJECTIVES),
        g=rng.choice(s.genres),
    )
    return typo(rng, text) if rng.random() < 0.25 else text


def typo(rng: np.random.Generator, text: str) -> str:
    """The text with a letter lost, swapped or added."""
    if len(text) < 5:
        return text
    at = int(rng.integers(1, len(text) - 2))
    kind = rng.integers(3)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + chr(97 + int(rng.integers(26))) + text[at:]
