# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces that grade a model: never trained on, never looked at while one is trained.

Three kinds of music for two pairs of instruments, each moved into its instrument's range, a drum
groove, and single notes with long rests. `compose.py` writes them, played by unsteady hands.
"""

from compose import Piece, Voice, moved

HARBOUR = Piece(
    # A single line in E minor with a lift to the relative major, 21 s at 92.
    "Harbour",
    92,
    4,
    (
        Voice(
            """
            B4:0.75 A4:0.25 G4:1 E4:1 F#4:0.5 G4:0.5 | A4:1.5 B4:0.5 G4:1 r:1 |
            E5:1 D5:0.5 B4:0.5 C5:1 A4:0.5 G4:0.5 | F#4:1 D4:1 F#4:1.5 r:0.5 |
            G4:0.5 B4:0.5 D5:1 G5:1.5 F#5:0.5 | E5:0.5 D5:0.5 C5:0.5 B4:0.5 C5:1 A4:1 |
            B4:0.75 C5:0.25 B4:0.5 A4:0.5 G4:1 F#4:1 | E4:1 B3:1 E4:2
            """,
            88,
        ),
    ),
)

EVENING = Piece(
    # Chords in E flat: sevenths that fall by step, 21 s at 69.
    "Evening",
    69,
    4,
    (
        Voice(
            """
            [D#3 A#3 D4 G4]:2 [C3 A#3 D#4 G4]:2 | [G#2 G3 C4 D#4]:2 [A#2 G#3 D4 F4]:2 |
            [G2 A#3 D#4 G4]:2 [C3 G3 A#3 D#4]:2 | [F2 G#3 C4 D#4]:2 [A#2 F3 G#3 D4]:2 |
            [D#3 G3 A#3 D#4]:1 [F3 G#3 C4 D#4]:1 [G3 A#3 D#4]:2 |
            [A#2 G#3 D4 F4]:2 [D#2 A#3 D#4 G4]:2
            """,
            80,
            0.93,
        ),
    ),
)

LANTERNS = Piece(
    # A waltz in A: tune above, bass and after-beats below, 21 s at 138.
    "Lanterns",
    138,
    3,
    (
        Voice(
            """
            C#5:2 E5:1 | D5:1.5 C#5:0.5 B4:1 | A4:2 C#5:1 | B4:2 r:1 |
            D5:2 F#5:1 | E5:1.5 D5:0.5 C#5:1 | B4:1 C#5:1 D5:1 | E5:2 r:1 |
            F#5:2 A5:1 | G#5:1 F#5:1 E5:1 | C#5:1.5 D5:0.5 E5:1 | F#5:2 D5:1 |
            C#5:1 B4:1 A4:1 | B4:1.5 C#5:0.5 G#4:1 | A4:3 | r:1 E4:1 A4:1
            """,
            92,
        ),
        Voice(
            """
            A2:1 [E3 C#4]:0.8 r:0.2 [E3 C#4]:0.8 r:0.2 | B2:1 [F#3 D4]:0.8 r:1.2 |
            F#2:1 [F#3 A3]:0.8 r:0.2 [F#3 A3]:0.8 r:0.2 | E2:1 [E3 G#3]:0.8 r:1.2 |
            D3:1 [F#3 A3]:0.8 r:0.2 [F#3 A3]:0.8 r:0.2 | A2:1 [E3 A3]:0.8 r:1.2 |
            G#2:1 [E3 B3]:0.8 r:0.2 [E3 B3]:0.8 r:0.2 | A2:1 [E3 C#4]:0.8 r:1.2 |
            D3:1 [F#3 D4]:0.8 r:1.2 | E2:1 [E3 D4]:0.8 r:0.2 [E3 D4]:0.8 r:0.2 |
            A2:1 [E3 A3]:0.8 r:1.2 | B2:1 [F#3 B3]:0.8 r:1.2 | E3:1 [A3 C#4]:0.8 r:1.2 |
            E2:1 [D3 G#3]:0.8 r:1.2 | A2:1 [E3 C#4]:0.8 r:1.2 | A2:3
            """,
            72,
            0.9,
        ),
    ),
)

THREAD = Piece(
    # A line for plucked or struck bars in D mixolydian, much by skips, 20 s at 104.
    "Thread",
    104,
    4,
    (
        Voice(
            """
            D4:0.5 A4:0.5 F#4:0.5 D5:0.5 C5:1 A4:1 | B4:0.5 G4:0.5 D4:1 E4:0.5 G4:0.5 B4:1 |
            A4:1 F#4:0.5 E4:0.5 D4:1.5 r:0.5 | C4:0.5 E4:0.5 G4:0.5 C5:0.5 B4:1 G4:1 |
            D5:1 C5:0.5 A4:0.5 F#4:1 A4:1 | G4:0.5 B4:0.5 A4:0.5 G4:0.5 E4:1 r:1 |
            F#4:0.5 A4:0.5 D5:0.5 E5:0.5 D5:1 C5:1 | A4:0.5 G4:0.5 E4:0.5 C4:0.5 D4:1.5 r:0.5 |
            A4:0.5 F#4:0.5 D4:2
            """,
            90,
        ),
    ),
)

COURTYARD = Piece(
    # Chords with a moving top voice in A minor, 21 s at 80.
    "Courtyard",
    80,
    4,
    (
        Voice(
            """
            [A2 E3 A3 C4]:1 [A2 E3 A3 D4]:1 [A2 E3 A3 E4]:2 | [F2 C3 A3 C4]:2 [G2 D3 G3 B3]:2 |
            [C3 G3 C4 E4]:1 [C3 G3 C4 D4]:1 [B2 G3 B3 D4]:2 | [A2 E3 A3 C4]:2 [E3 G#3 B3 E4]:2 |
            [D3 A3 D4 F4]:1 [D3 A3 D4 E4]:1 [F3 A3 D4]:2 | [C3 G3 C4 E4]:2 [A2 E3 A3 C4]:2 |
            [E2 B2 G#3 D4]:2 [A2 E3 A3 C4]:2
            """,
            82,
            0.94,
        ),
    ),
)

MILL = Piece(
    # Bass, broken chords and a tune in G, 20 s at 112.
    "Mill",
    112,
    4,
    (
        Voice(
            """
            B4:1 D5:1 C5:0.5 B4:0.5 A4:1 | G4:1.5 A4:0.5 B4:2 | C5:1 E5:1 D5:0.5 C5:0.5 B4:1 |
            A4:3 r:1 | B4:0.5 C5:0.5 D5:1 E5:1 D5:1 | C5:1 A4:1 F#4:1 A4:1 |
            G4:0.5 B4:0.5 A4:0.5 F#4:0.5 G4:1 E4:1 | D4:1 F#4:1 A4:1.5 r:0.5 | G4:3
            """,
            94,
        ),
        Voice(
            """
            G2:1 [D3 G3]:1 r:1 [D3 G3]:1 | E3:1 [G3]:1 r:1 [B2 G3]:1 |
            C3:1 [E3 G3]:1 r:1 [E3 G3]:1 | D3:1 [F#3]:1 A2:1 [D3 F#3]:1 |
            G2:1 [D3 G3]:1 C3:1 [E3 G3]:1 | A2:1 [E3]:1 D3:1 [F#3]:1 |
            E3:1 [G3]:1 C3:1 [E3 G3]:1 | D3:1 [F#3]:1 r:1 [C3 F#3]:0.9 r:0.1 | [G2 D3 G3]:3
            """,
            74,
            0.9,
        ),
    ),
)

SPARSE = Piece(
    # Single notes and two chords, each alone, with rests of two and a half seconds and more, 40 s.
    "Sparse",
    96,
    4,
    (
        Voice(
            """
            C4:0.5 r:1.5 G4:0.5 r:1.5 | E4:0.5 r:1.5 C5:0.5 r:1.5 | r:4 |
            A3:0.5 r:1.5 F4:0.5 r:1.5 | D5:0.5 r:1.5 B3:0.5 r:1.5 | r:4 |
            G3:0.5 r:1.5 E5:0.5 r:1.5 | A4:0.5 r:1.5 D4:0.5 r:1.5 |
            r:4 | [C4 E4 G4]:1 r:3 | r:2 F3:0.5 r:1.5 | B4:0.5 r:1.5 G4:0.5 r:1.5 | r:4 |
            C4:0.5 r:1.5 A4:0.5 r:1.5 | E4:0.5 r:1.5 [F3 A3 C4]:1 r:1 | r:4
            """,
            90,
        ),
    ),
)

GROOVE = Piece(
    # Kick, snare and hats with a fill every fourth bar, 18 s at 104. Keys as General MIDI numbers.
    "Groove",
    104,
    4,
    (
        Voice("C2:1.5 C2:1 C2:1.5 | C2:2 C2:2 | C2:1.5 C2:1 C2:1.5 | C2:2 r:2 | " * 2, 100, 0.2),
        Voice(
            "r:1 D2:2 D2:1 | r:1 D2:2 D2:1 | r:1 D2:2 D2:1 | r:1 D2:2 D2:0.5 D2:0.5 | " * 2, 98, 0.2
        ),
        Voice("F#2:0.5 F#2:0.5 " * 15 + "A#2:0.5 r:0.5 " + "F#2:0.5 F#2:0.5 " * 16, 78, 0.2),
        Voice(("r:12 | r:2 C3:0.5 B2:0.5 A2:0.5 F2:0.5 | ") * 2, 92, 0.2),
    ),
)

YARDSTICK = {
    "piano_mono": HARBOUR,
    "piano_chords": EVENING,
    "piano_mixed": LANTERNS,
    "electric_piano_mono": moved(HARBOUR, -5),
    "electric_piano_chords": moved(EVENING, 4),
    "electric_piano_mixed": moved(LANTERNS, -3),
    "guitar_mono": THREAD,
    "guitar_chords": COURTYARD,
    "guitar_mixed": MILL,
    "mallets_mono": moved(THREAD, 10),
    "mallets_chords": moved(COURTYARD, 13),
    "mallets_mixed": moved(MILL, 12),
    "piano_sparse": SPARSE,
    "drums_groove": GROOVE,
}
