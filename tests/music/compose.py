# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the MIDI pieces of this folder: python tests/music/compose.py [FOLDER].

All were composed for this project and share its licence. The held-back pieces are never used in
training: they grade how well a model follows what is played.

Notation: `C4:1` is a note of one beat, `r:0.5` a rest, `[C3 E3 G3]:2` a chord, `|` a bar line for
the eye alone. A voice is read from its first beat on; voices sound together.
"""

import random
import re
import sys
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import mido

TICKS_PER_BEAT = 480
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TOKEN = re.compile(r"(?P<what>\[[^\]]+\]|[A-Gr][#b]?-?\d*):(?P<length>[\d.]+)")


@dataclass(frozen=True)
class Voice:
    """One line of music.

    Attributes:
        text: the notes, in the notation above.
        velocity: of an unaccented note; the first beat of a bar is 12 louder, an off-beat 6 softer.
        legato: how much of a note's length it sounds, 0 to 1.
    """

    text: str
    velocity: int = 84
    legato: float = 0.92


@dataclass(frozen=True)
class Piece:
    name: str
    bpm: float
    beats_per_bar: int
    voices: tuple[Voice, ...]


def pitch(name: str) -> int:
    """The MIDI note number of a name such as F#3 (C4 is 60)."""
    letter, sharp, octave = re.fullmatch(r"([A-G])([#b]?)(-?\d+)", name).groups()
    return 12 * (int(octave) + 1) + STEPS[letter] + {"": 0, "#": 1, "b": -1}[sharp]


def notes(voice: Voice, beats_per_bar: int) -> list[tuple[float, float, int, int]]:
    """The voice's notes as (start in beats, length in beats, key, velocity)."""
    found, beat = [], 0.0
    for match in TOKEN.finditer(voice.text):
        length = float(match["length"])
        what = match["what"]
        if what != "r":
            place = beat % beats_per_bar
            accent = 12 if place == 0 else 0 if place == int(place) else -6
            for name in what.strip("[]").split():
                key = pitch(name)
                found.append((beat, length * voice.legato, key, voice.velocity + accent))
        beat += length
    return found


def moved(piece: Piece, semitones: int) -> Piece:
    """The piece in another key."""

    def name(match: re.Match) -> str:
        key = pitch(match[0]) + semitones
        letter = NAMES[key % 12]
        return f"{letter}{key // 12 - 1}"

    voices = tuple(
        replace(voice, text=re.sub(r"[A-G][#b]?-?\d+", name, voice.text)) for voice in piece.voices
    )
    return replace(piece, voices=voices)


def played(piece: Piece) -> mido.MidiFile:
    """The piece as hands play it: no two onsets exactly on a grid, no two strokes alike.

    Onsets stray by some 8 ms (at most 20), chords are not quite together, velocities vary by a few
    steps. The same piece is always played alike.
    """
    chance = random.Random(zlib.crc32(piece.name.encode()))
    seconds = 60 / piece.bpm
    found = []
    for voice in piece.voices:
        for beat, length, key, velocity in notes(voice, piece.beats_per_bar):
            stray = max(-0.02, min(0.02, chance.gauss(0.0, 0.008)))
            start = max(0.0, beat * seconds + stray)
            loud = max(1, min(127, velocity + round(chance.gauss(0, 4))))
            found.append((start, start + length * seconds, key, loud))
    events = []
    for number, (start, end, key, velocity) in enumerate(sorted(found)):
        later = [s for s, _, k, _ in sorted(found)[number + 1 :] if k == key]
        end = min([end, *(s - 0.012 for s in later)])  # a key is up before it is struck again
        events += [(round(start * 1e3), 1, key, velocity), (round(end * 1e3), 0, key, 0)]
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=piece.name)])
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    now = 0
    for time, on, key, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=key, velocity=velocity, time=time - now))
        now = time
    return mido.MidiFile(type=0, ticks_per_beat=500, tracks=[track])


def midi_file(piece: Piece) -> mido.MidiFile:
    """The piece as a type 0 file on one channel, its tempo at the start."""
    events = []
    for voice in piece.voices:
        for beat, length, key, velocity in notes(voice, piece.beats_per_bar):
            on, off = round(beat * TICKS_PER_BEAT), round((beat + length) * TICKS_PER_BEAT)
            events.append((on, 1, key, velocity))
            events.append((off, 0, key, 0))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("track_name", name=piece.name))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(piece.bpm)))
    track.append(mido.MetaMessage("time_signature", numerator=piece.beats_per_bar, denominator=4))
    now = 0
    for tick, on, key, velocity in sorted(events):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, note=key, velocity=velocity, time=tick - now))
        now = tick
    return mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT, tracks=[track])


DEMO = Piece(
    # A broken-chord opening, then a tune over an accompaniment, a close on C: 30 s at 96.
    "Morning train",
    96,
    4,
    (
        Voice(
            """
            r:4 | r:4 |
            E5:1.5 D5:0.5 C5:1 G4:1 | A4:1 C5:1 D5:1.5 r:0.5 |
            E5:1 G5:1 F5:0.5 E5:0.5 D5:1 | C5:1 A4:1 B4:1 G4:1 |
            A4:0.5 B4:0.5 C5:1 E5:1 A5:1 | G5:1.5 F5:0.5 E5:1 D5:1 |
            F5:1 E5:0.5 D5:0.5 C5:1 A4:1 | B4:1 D5:1 G5:2 |
            E5:1 D5:1 C5:2 | r:1 [G4 C5]:1 [C5 E5]:1
            """,
            92,
        ),
        Voice(
            """
            C3:0.5 G3:0.5 C4:0.5 E4:0.5 G4:0.5 E4:0.5 C4:0.5 G3:0.5 |
            A2:0.5 E3:0.5 A3:0.5 C4:0.5 E4:0.5 C4:0.5 A3:0.5 E3:0.5 |
            C3:1 [E3 G3]:1 C3:1 [E3 G3]:1 | F2:1 [C3 A3]:1 G2:1 [D3 B3]:1 |
            C3:1 [E3 G3]:1 D3:1 [F3 A3]:1 | A2:1 [E3 C4]:1 G2:1 [D3 B3]:1 |
            F2:1 [C3 A3]:1 A2:1 [E3 C4]:1 | C3:1 [E3 G3]:1 G2:1 [D3 F3]:1 |
            F2:0.5 C3:0.5 F3:0.5 A3:0.5 C4:0.5 A3:0.5 F3:0.5 C3:0.5 |
            G2:0.5 D3:0.5 G3:0.5 B3:0.5 D4:0.5 B3:0.5 G3:0.5 D3:0.5 |
            C3:1 [E3 G3]:1 F2:1 [C3 A3]:1 | C3:3
            """,
            74,
        ),
    ),
)

HELDOUT_MONO = Piece(
    # A single unaccompanied line in D dorian, 20 s at 108.
    "Single line",
    108,
    4,
    (
        Voice(
            """
            D4:1 F4:0.5 G4:0.5 A4:1.5 G4:0.5 | F4:0.5 G4:0.5 E4:1 D4:1 r:1 |
            A4:1 C5:0.5 B4:0.5 A4:1 G4:1 | F4:0.5 E4:0.5 F4:0.5 G4:0.5 A4:1.5 r:0.5 |
            D5:1 C5:0.5 A4:0.5 B4:1 G4:1 | A4:0.5 F4:0.5 G4:0.5 E4:0.5 D4:1 C4:1 |
            D4:0.5 E4:0.5 F4:0.5 A4:0.5 G4:1 E4:1 | F4:1 D4:0.5 C4:0.5 A3:1 C4:1 |
            D4:1 A4:1 D4:1.5
            """,
            90,
        ),
    ),
)

HELDOUT_CHORDS = Piece(
    # Four-part chords with plain voice leading, in G, 20 s at 72.
    "Slow chords",
    72,
    4,
    (
        Voice(
            """
            [G3 B3 D4 G4]:2 [F#3 A3 D4 F#4]:2 | [E3 B3 E4 G4]:2 [D3 B3 D4 G4]:2 |
            [C3 G3 C4 E4]:2 [B2 G3 D4 G4]:2 | [A2 E3 C4 A4]:2 [D3 F#3 C4 A4]:2 |
            [E3 G3 B3 G4]:2 [C3 E3 A3 E4]:2 | [D3 A3 C4 F#4]:2 [G2 B3 D4 G4]:2
            """,
            82,
            0.95,
        ),
    ),
)

HELDOUT_MIXED = Piece(
    # A tune over a walking bass with chords on the off-beats, in F minor, 20 s at 120.
    "Corner cafe",
    120,
    4,
    (
        Voice(
            """
            C5:1 Ab4:0.5 Bb4:0.5 C5:1.5 r:0.5 | Db5:1 C5:0.5 Bb4:0.5 Ab4:1 r:1 |
            F4:0.5 G4:0.5 Ab4:1 C5:1 F5:1 | Eb5:1 Db5:0.5 C5:0.5 Bb4:1.5 r:0.5 |
            Ab4:1 C5:1 Eb5:1 C5:1 | Db5:0.5 C5:0.5 Bb4:0.5 Ab4:0.5 G4:1 Bb4:1 |
            C5:1 F5:1 Eb5:0.5 Db5:0.5 C5:1 | Bb4:1 G4:1 E4:1 r:1 |
            F4:0.5 Ab4:0.5 C5:0.5 F5:0.5 E5:1 C5:1 | F5:1 r:1 F4:1.5
            """,
            94,
        ),
        Voice(
            """
            F2:1 Ab2:1 C3:1 A2:1 | Bb2:1 Db3:1 F2:1 Eb2:1 | F2:1 G2:1 Ab2:1 C3:1 |
            Bb2:1 F2:1 Eb2:1 G2:1 | Ab2:1 C3:1 Eb3:1 C3:1 | Bb2:1 Db3:1 C3:1 E2:1 |
            F2:1 Ab2:1 Bb2:1 Db3:1 | C3:1 Bb2:1 G2:1 C2:1 | F2:1 Ab2:1 G2:1 C3:1 | F2:1 C3:1 F2:1.5
            """,
            78,
            0.85,
        ),
        Voice(
            """
            r:1 [Ab3 C4]:0.5 r:1.5 [Ab3 C4]:0.5 r:0.5 | r:1 [F3 Db4]:0.5 r:2.5 |
            r:1 [Ab3 C4]:0.5 r:1.5 [Ab3 C4]:0.5 r:0.5 | r:1 [F3 Db4]:0.5 r:1.5 [G3 Db4]:0.5 r:0.5 |
            r:1 [C4 Eb4]:0.5 r:2.5 | r:1 [F3 Db4]:0.5 r:1.5 [G3 Bb3]:0.5 r:0.5 |
            r:1 [Ab3 C4]:0.5 r:1.5 [F3 Db4]:0.5 r:0.5 | r:1 [E3 Bb3]:0.5 r:2.5
            """,
            70,
        ),
    ),
)

PIECES = {
    "demo": DEMO,
    "heldout_mono": HELDOUT_MONO,
    "heldout_chords": HELDOUT_CHORDS,
    "heldout_mixed": HELDOUT_MIXED,
}


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    for name, piece in PIECES.items():
        smf = midi_file(piece)
        smf.save(folder / f"{name}.mid")
        print(f"{name}.mid: {smf.length:.1f} s, {piece.bpm:g} beats a minute")
    from yardstick import YARDSTICK  # it is written in this file's notation

    (folder / "yardstick").mkdir(exist_ok=True)
    for name, piece in YARDSTICK.items():
        smf = played(piece)
        smf.save(folder / "yardstick" / f"{name}.mid")
        print(f"yardstick/{name}.mid: {smf.length:.1f} s, {piece.bpm:g} beats a minute")


if __name__ == "__main__":
    sys.modules["compose"] = sys.modules["__main__"]
    main()
