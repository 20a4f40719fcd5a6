# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed MIDI files and prompts are what their scripts make, and are fit for their use."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import mido
import pytest

from bandmate.evaluation import music, source
from bandmate.report.notes import notes_of
from bandmate.session.midi import read_midi

MUSIC = Path(__file__).parents[1] / "music"
WORDS = Path(__file__).parents[2] / "scripts" / "train" / "sounds.json"
LENGTHS = {"demo": 30, "heldout_mono": 20, "heldout_chords": 20, "heldout_mixed": 20}
GRADED = [piece.name for piece in music.graded_pieces(quick=False)]


def notes(name: str) -> list:
    return notes_of(read_midi(MUSIC / f"{name}.mid", 48000), 48000)


def test_files_are_the_scripts(tmp_path: Path) -> None:
    subprocess.run([sys.executable, MUSIC / "compose.py", tmp_path], check=True)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.mid"))
    assert made == sorted(path.relative_to(MUSIC) for path in MUSIC.rglob("*.mid"))
    for name in made:
        assert (tmp_path / name).read_bytes() == (MUSIC / name).read_bytes()


@pytest.mark.parametrize("name", LENGTHS)
def test_piece_is_whole(name: str) -> None:
    assert mido.MidiFile(MUSIC / f"{name}.mid").length == pytest.approx(LENGTHS[name], abs=1.0)
    assert len(notes(name)) > 40


@pytest.mark.parametrize("name", [*LENGTHS, *(f"yardstick/{name}" for name in GRADED)])
def test_a_key_is_up_before_it_is_struck_again(name: str) -> None:
    played = notes(name)
    assert all(note.end > note.start + 0.05 for note in played)
    for pitch in {note.pitch for note in played}:
        same = [note for note in played if note.pitch == pitch]
        assert all(a.end <= b.start for a, b in itertools.pairwise(same))


def test_single_line_is_single() -> None:
    assert all(a.end <= b.start for a, b in itertools.pairwise(notes("heldout_mono")))


def test_every_instrument_plays_every_kind_of_piece() -> None:
    assert len(GRADED) == 12
    for name in GRADED:
        played = notes(f"yardstick/{name}")
        assert len(played) >= 35
        most = max(sum(n.start <= t.start + 0.03 < n.end for n in played) for t in played)
        # A hand may leave a key a moment late, hence two
        assert most <= 2 if name.endswith("mono") else most >= 3


def test_onsets_are_off_any_grid_of_frames() -> None:
    """A model that knew only whole frames would be heard to be off."""
    starts = [note.start % 0.04 for name in GRADED for note in notes(f"yardstick/{name}")]
    for tenth in range(10):
        low, high = tenth * 0.004, (tenth + 1) * 0.004
        assert sum(low <= start < high for start in starts) > len(starts) / 25


def test_prompts_are_two_for_each_family() -> None:
    families = [family for _, family in music.prompts()]
    assert sorted(families) == sorted([*source.FAMILIES] * 2)


def test_no_prompt_is_a_training_caption() -> None:
    raw = json.loads(WORDS.read_text(encoding="utf-8"))
    words = {w for style in raw["styles"] for w in (style["name"], *style["words"])}
    words |= {w for style in raw["styles"] for w in style["instruments"]}
    genres = {g for style in raw["styles"] for g in style["genres"]}
    adjectives = raw["adjectives"]
    parts = {"{w}": words, "{g}": genres, "{a}": adjectives, "{b}": adjectives}
    templates = [re.escape(t).replace(r"\{", "{").replace(r"\}", "}") for t in raw["templates"]]
    for key, values in parts.items():
        either = "(?:" + "|".join(map(re.escape, values)) + ")"
        templates = [t.replace(key, either) for t in templates]
    assert re.fullmatch(templates[1], f"{adjectives[0]} {raw['styles'][0]['words'][0]}")
    for prompt, _ in music.prompts():
        assert not any(re.fullmatch(t, prompt.lower()) for t in templates), prompt
