# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a prompt, in words or in sound, bring the instrument that was asked for? Do blends move?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.evaluation import music, source
from bandmate.evaluation.player import Player, Style
from bandmate.evaluation.timbre import Reference, features
from bandmate.report.notes import Note, notes_of
from bandmate.session.events import Event, EventKind
from bandmate.session.midi import MidiClip, read_midi

Floats = NDArray[np.float32]

SECONDS = 6.0
TAIL_SECONDS = 0.5
TUNE, OTHER_TUNE = "guitar_mono", "electric_piano_mono"
SEMITONES = {"bass": -24}  # families that play the tune elsewhere
BLENDS = (("grand piano", "a weeping string orchestra"), ("vibrafone", "hamond organ"))
TOGETHER = 4  # plays that share a batch: cheaper than one after the other
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
BACKWARDS = 0.1  # of the way: a step back smaller than this is chance


@dataclass(frozen=True)
class Passage:
    """The first seconds of a piece: what is played, how long and by whom it can be played."""

    events: tuple[Event, ...]
    notes: tuple[Note, ...]
    samples: int

    @classmethod
    def of(cls, name: str, semitones: int = 0) -> Passage:
        """The first SECONDS of a held-out piece, moved; held notes are released there."""
        rate = source.SAMPLE_RATE
        clip, end = read_midi(music.piece(name), rate), round(SECONDS * rate)
        held: set[int] = set()
        events = []
        for event in clip.events:
            if event.time >= end or event.kind not in (EventKind.NOTE_ON, EventKind.NOTE_OFF):
                continue
            key = event.number + semitones
            (held.add if event.kind is EventKind.NOTE_ON else held.discard)(key)
            events.append(event._replace(number=key))
        events += [Event(end, EventKind.NOTE_OFF, 0, key) for key in sorted(held)]
        notes = notes_of(MidiClip(tuple(events), end, len(events) // 2), rate)
        attacked = tuple(n for n in notes if n.start < SECONDS - 0.3)
        return cls(tuple(events), attacked, end + round(TAIL_SECONDS * rate))

    def by(self, sound: source.Sound) -> Floats:
        """The passage by the sound source."""
        return source.play_events(self.events, self.samples, sound)

    def reference(self, fonts: int) -> Reference:
        """Every sound of every family, from so many soundfonts."""
        rows = [
            (family, features(self.by(sound), source.SAMPLE_RATE, self.notes))
            for family in source.FAMILIES
            for sound in source.sounds(family, fonts)
        ]
        return Reference(rows)


class Ear:
    """Tells which family a passage is played by: the nearest render of the same passage."""

    def __init__(self, say: Callable[[str], None], fonts: int = len(source.SOUNDFONTS)) -> None:
        self._say, self._fonts = say, fonts
        self._known: dict[str, tuple[Passage, Reference]] = {}

    def passage(self, family: str) -> tuple[Passage, Reference]:
        """What a family is asked to play, and how every other would play the same."""
        name = music.GROOVE if family == "drums" else TUNE
        semitones = SEMITONES.get(family, 0)
        place = f"{name}{semitones:+d}"
        if place not in self._known:
            self._say(f"styles: the sound source plays {name}")
            passage = Passage.of(name, semitones)
            self._known[place] = (passage, passage.reference(self._fonts))
        return self._known[place]

    def hear(self, audio: Floats, family: str) -> str:
        """The family of a sound that plays the passage of `family`; "silence" is none."""
        passage, reference = self.passage(family)
        try:
            return reference.nearest(features(audio, source.SAMPLE_RATE, passage.notes))
        except ValueError:
            return "silence"


def grade(player: Player, quick: bool, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Text prompts, audio prompts and blends. The model must play at the source's rate.

    Args:
        folder: the sounds are written there as style_NN.wav and style_audio_FAMILY.wav.

    Returns:
        judge: share of the source's own sounds whose nearest other sound is of their family: what
            the judge can tell at all.
        text, audio: share that was right, and rows with prompt, family, heard and file.
        blends: see `progress`.
    """
    ear = Ear(say, 1 if quick else len(source.SOUNDFONTS))

    def play(asked: Asked) -> dict[str, str]:
        passage, _ = ear.passage(asked.family)
        sound = player.play(passage.events, passage.samples, [(asked.embedding, 1.0)])
        soundfile.write(folder / asked.file, sound, player.rate)
        heard = ear.hear(sound, asked.family)
        say(f"styles: {asked.prompt}: {heard}")
        row = {"prompt": asked.prompt, "family": asked.family}
        return row | {"heard": heard, "file": asked.file}

    def play_all(asked: Sequence[Asked]) -> list[dict[str, str]]:
        for family in {a.family for a in asked}:
            ear.passage(family)  # the sound source plays for one at a time
        with ThreadPoolExecutor(TOGETHER) as pool:
            return list(pool.map(play, asked))

    text = play_all(
        [
            Asked(prompt, family, player.text(prompt), f"style_{number:02d}.wav")
            for number, (prompt, family) in enumerate(music.prompts()[:: 13 if quick else 1])
        ]
    )
    families = list(source.FAMILIES)[:: 12 if quick else 1]
    audio = play_all([_recording(player, family) for family in families])
    pairs, steps = (BLENDS[:1], STEPS[::2]) if quick else (BLENDS, STEPS)
    tune, known = ear.passage(source.GRAND_PIANO)
    return {
        "judge": known.self_check(),
        "text": {"share": share(text), "rows": text},
        "audio": {"share": share(audio), "rows": audio},
        "blends": [_blend(player, tune, known, a, b, steps, say) for a, b in pairs],
    }


@dataclass(frozen=True)
class Asked:
    """A style to play: its name, the family it should be, and the WAV to write."""

    prompt: str
    family: str
    embedding: Floats
    file: str


def _recording(player: Player, family: str) -> Asked:
    """A family's sound as an audio prompt, playing something else than what will be asked for."""
    other = music.GROOVE if family == "drums" else OTHER_TUNE
    clip = Passage.of(other, SEMITONES.get(family, 0)).by(source.plainest(family))
    embedding = player.sound(clip, source.SAMPLE_RATE)
    file = f"style_audio_{family.replace(' ', '_')}.wav"
    return Asked(f"a recording of {family}", family, embedding, file)


def share(rows: Sequence[dict[str, str]]) -> float:
    """Of rows whose `heard` is their `family`."""
    return float(np.mean([row["family"] == row["heard"] for row in rows]))


def _blend(
    player: Player,
    passage: Passage,
    known: Reference,
    a: str,
    b: str,
    steps: Sequence[float],
    say: Callable[[str], None],
) -> dict[str, Any]:
    ends = (player.text(a), player.text(b))
    say(f"blend: {a} to {b}")

    def point(w: float) -> NDArray[np.float64]:
        styles: list[Style] = [(ends[0], 1 - w), (ends[1], w)]
        audio = player.play(passage.events, passage.samples, styles)
        return known.scaled(features(audio, player.rate, passage.notes))

    try:
        with ThreadPoolExecutor(TOGETHER) as pool:
            points = list(pool.map(point, steps))
    except ValueError:  # a step is silent
        return {"from": a, "to": b, "positions": [], "monotone": False, "largest_step": None}
    return {"from": a, "to": b, **progress(np.array(points))}


def progress(points: NDArray[np.float64]) -> dict[str, Any]:
    """How far along the way from the first point to the last each point lies.

    Args:
        points: [steps, values].

    Returns:
        positions (0 to 1 of the way), monotone (no step back of more than BACKWARDS) and the
        largest step (of five points, 0.25 is even).
    """
    way = points[-1] - points[0]
    positions = (points - points[0]) @ way / max(float(way @ way), 1e-12)
    steps = np.diff(positions)
    return {
        "positions": [float(p) for p in positions],
        "monotone": bool(way @ way > 1e-9 and steps.min() > -BACKWARDS),
        "largest_step": float(steps.max()),
    }
