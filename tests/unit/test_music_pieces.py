# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed MIDI files are what their script composes, and are fit for their use."""

import itertools
import subprocess
import sys
from pathlib import Path

import mido
import pytest

from bandmate.report.notes import notes_of
from bandmate.session.midi import read_midi

MUSIC = Path(__file__).parents[1] / "music"
LENGTHS = {"demo": 30, "heldout_mono": 20, "heldout_chords": 20, "heldout_mixed": 20}


def test_files_are_the_scripts(tmp_path: Path) -> None:
    subprocess.run([sys.executable, MUSIC / "compose.py", tmp_path], check=True)
    for name in LENGTHS:
        assert (tmp_path / f"{name}.mid").read_bytes() == (MUSIC / f"{name}.mid").read_bytes()


@pytest.mark.parametrize("name", LENGTHS)
def test_piece_is_whole(name: str) -> None:
    path = MUSIC / f"{name}.mid"
    notes = notes_of(read_midi(path, 48000), 48000)
    assert mido.MidiFile(path).length == pytest.approx(LENGTHS[name], abs=1.0)
    assert len(notes) > 40
    assert all(note.end > note.start + 0.05 for note in notes)
    for pitch in {note.pitch for note in notes}:  # a key is released before it is struck again
        same = [note for note in notes if note.pitch == pitch]
        assert all(a.end <= b.start for a, b in itertools.pairwise(same))


def test_single_line_is_single() -> None:
    notes = notes_of(read_midi(MUSIC / "heldout_mono.mid", 48000), 48000)
    assert all(a.end <= b.start for a, b in itertools.pairwise(notes))
