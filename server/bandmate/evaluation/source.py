# SPDX-License-Identifier: GPL-3.0-or-later
"""The upper bound: the same music played by a sound source that the bundled model learned from."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError
from bandmate.session.events import Event, EventKind
from bandmate.session.midi import read_midi

if TYPE_CHECKING:
    import tinysoundfont

Floats = NDArray[np.float32]

# The first is the upper bound, the other one more voice for telling families apart.
SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3"),
)
SAMPLE_RATE = 48_000
DRUM_BANK = 128
PEAK = 0.25  # of a middle note, so that chords keep headroom
TAIL_SECONDS = 2.0

GRAND_PIANO = "grand piano"
# General MIDI programs (0-based) that count as a family; first the one whose notes the judge of
# notes hears best (a vibraphone's tremolo and a steel guitar's resonance are new onsets to it).
FAMILIES: dict[str, tuple[int, ...]] = {
    GRAND_PIANO: (0, 1),
    "electric piano": (4, 5),
    "guitar": (24, 25, 26),
    "mallets": (12, 11, 9),
    "organ": (16, 17, 19),
    "strings": (48, 49, 44),
    "brass": (61, 56, 57),
    "flute": (73, 74, 75),
    "synth lead": (81, 80, 87),
    "synth pad": (89, 90, 94),
    "bass": (33, 32, 38),
    "drums": (0, 8, 16, 24, 25),
}


class SourceMissingError(BandmateError):
    """The sound source is not installed."""


@dataclass(frozen=True)
class Sound:
    """One program of the sound source, from one of SOUNDFONTS."""

    program: int
    drums: bool = False
    font: int = 0


def plainest(family: str) -> Sound:
    """The first sound of a family."""
    return Sound(FAMILIES[family][0], family == "drums")


def sounds(family: str, fonts: int = len(SOUNDFONTS)) -> list[Sound]:
    """All sounds of a family, from so many soundfonts as far as they are there."""
    return [
        Sound(program, family == "drums", font)
        for font, path in enumerate(SOUNDFONTS[:fonts])
        # The second one's piano plays 40 dB too low here
        if path.exists() and not (font == 1 and family == GRAND_PIANO)
        for program in FAMILIES[family]
    ]


def is_there() -> bool:
    """Whether the source can play here."""
    return importlib.util.find_spec("tinysoundfont") is not None and SOUNDFONTS[0].exists()


def how_to_get() -> str:
    """What to install, in one line."""
    return (
        "The upper bound is not installed: Debian: apt-get install fluid-soundfont-gm "
        "musescore-general-soundfont; "
        "then .venv/bin/pip install --no-deps tinysoundfont"
    )


@cache
def _synth(font: int) -> tuple[tinysoundfont.Synth, int]:
    if not is_there():
        raise SourceMissingError(how_to_get())
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE, gain=0)
    return synth, synth.sfload(str(SOUNDFONTS[font]))


def play(midi: Path, sound: Sound, tail: float = TAIL_SECONDS) -> Floats:
    """A MIDI file by one sound, levelled so that every sound is about equally loud.

    Returns:
        audio [samples, 2] at SAMPLE_RATE, `tail` seconds longer than the file.

    Raises:
        SourceMissingError: see `is_there`.
    """
    clip = read_midi(midi, SAMPLE_RATE)
    return play_events(clip.events, clip.length_samples + round(tail * SAMPLE_RATE), sound)


def play_events(events: Sequence[Event], samples: int, sound: Sound) -> Floats:
    """As `play`, of events in order of time at SAMPLE_RATE."""
    keys = [
        (e.time, e.number, round(e.value) if e.kind is EventKind.NOTE_ON else 0)
        for e in events
        if e.kind in (EventKind.NOTE_ON, EventKind.NOTE_OFF)
    ]
    return _perform(sound, keys, samples) * _gain(sound)


@cache
def _gain(sound: Sound) -> np.float32:
    keys = (36, 38, 45) if sound.drums else (48, 60, 72)
    peaks = [
        np.abs(_perform(sound, [(0, key, 96), (SAMPLE_RATE // 2, key, 0)], SAMPLE_RATE)).max()
        for key in keys
    ]
    return np.float32(PEAK / max(1e-3, float(np.median(peaks))))


def _perform(sound: Sound, keys: Sequence[tuple[int, int, int]], samples: int) -> Floats:
    """(sample, key, velocity; 0 releases) in order of time, unlevelled."""
    synth, font = _synth(sound.font)
    synth.sounds_off(0)
    bank = DRUM_BANK if sound.drums else 0
    synth.program_select(0, font, bank, sound.program, sound.drums)
    out, at = np.zeros((samples, 2), np.float32), 0
    for time, key, velocity in [*keys, (samples, -1, 0)]:
        time = min(time, samples)
        if time > at:
            block = np.frombuffer(synth.generate(time - at), np.float32)
            out[at:time] = block.reshape(-1, 2)
            at = time
        if key >= 0:
            (synth.noteon(0, key, velocity) if velocity else synth.noteoff(0, key))
    synth.notes_off(0)
    for _ in range(6):  # the next sound begins in silence
        if np.abs(np.frombuffer(synth.generate(SAMPLE_RATE), np.float32)).max() < 1e-4:
            break
    return out
