# SPDX-License-Identifier: GPL-3.0-or-later
"""The held-out pieces and prompts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bandmate.errors import BandmateError
from bandmate.report.notes import Note, notes_of
from bandmate.session.midi import read_midi

FOLDER = Path(__file__).parents[3] / "tests" / "music" / "yardstick"
TIME_RATE = 48_000  # that notes are placed by
KINDS = ("mono", "chords", "mixed")
INSTRUMENTS = {  # by file name: the family, and the style text they are played with
    "piano": ("grand piano", "grand piano"),
    "electric_piano": ("electric piano", "electric piano"),
    "guitar": ("guitar", "nylon guitar"),
    "mallets": ("mallets", "marimba"),
}
SPARSE, GROOVE = "piano_sparse", "drums_groove"


@dataclass(frozen=True)
class GradedPiece:
    """A piece whose notes are graded."""

    name: str
    path: Path
    kind: str
    family: str
    style: str


def piece(name: str) -> Path:
    """The file of a held-out piece.

    Raises:
        BandmateError: it is not there, as in a package without the source tree's tests.
    """
    path = FOLDER / f"{name}.mid"
    if not path.is_file():
        raise BandmateError(
            f"The yardstick's music is missing ({path}). Run this from a checkout of the sources."
        )
    return path


def notes(name: str) -> list[Note]:
    """The notes of a held-out piece."""
    return notes_of(read_midi(piece(name), TIME_RATE), TIME_RATE)


def graded_pieces(quick: bool) -> list[GradedPiece]:
    """The pieces for onset F1: every instrument and kind; one of them when quick."""
    found = [
        GradedPiece(f"{i}_{kind}", piece(f"{i}_{kind}"), kind, family, style)
        for i, (family, style) in INSTRUMENTS.items()
        for kind in KINDS
    ]
    return [p for p in found if p.name == "piano_mono"] if quick else found


def prompts() -> list[tuple[str, str]]:
    """(prompt, family expected); no prompt is among the training captions."""
    raw = json.loads((FOLDER / "prompts.json").read_text(encoding="utf-8"))
    return [(row["prompt"], row["family"]) for row in raw]
