# SPDX-License-Identifier: GPL-3.0-or-later
"""Are the notes heard that were played? Onset F1, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.evaluation import music, source, timing
from bandmate.evaluation.codec_stages import CodecStages
from bandmate.evaluation.player import Player
from bandmate.report.transcription import NoteScore, middle_bias_ms, score_notes

Floats = NDArray[np.float32]
Progress = Callable[[str], None]


def grade(
    player: Player,
    stages: CodecStages | None,
    seeds: Sequence[int],
    quick: bool,
    folder: Path,
    say: Progress,
) -> dict[str, Any]:
    """Every graded piece through every stage.

    Args:
        stages: the bundle's codec; None leaves the stages between source and model away.
        folder: WAVs are written there as PIECE_STAGE.wav (the model's with _SEED), and kept.

    Returns:
        pieces: for each its stages with onset_f1, bias_ms and share (of the source's onset_f1).
        kinds: mean share for each kind of piece and stage.
        timing: see `timing.grade`.
    """
    has_source = source.is_there()
    pieces: dict[str, Any] = {}
    for graded in music.graded_pieces(quick):
        rows: dict[str, dict[str, Any]] = {}
        if has_source:
            audio = source.play(graded.path, source.plainest(graded.family))
            for name in ("source", *(CodecStages.STAGES if stages else ())):
                say(f"{graded.name}: {name}")
                sound = audio if name == "source" or stages is None else stages.stage(name, audio)
                wav = folder / f"{graded.name}_{name}.wav"
                score = _score(graded.path, wav, sound, source.SAMPLE_RATE)
                rows[name] = {"onset_f1": score.f1, "bias_ms": score.bias_ms}
        say(f"{graded.name}: model, seeds {', '.join(map(str, seeds))}")
        sounds = player.render(graded.path, graded.style, seeds)
        scores = []
        for seed, sound in zip(seeds, sounds, strict=True):
            wav = folder / f"{graded.name}_model_{seed}.wav"
            scores.append(_score(graded.path, wav, sound, player.rate))
        rows["model"] = _middle(scores) | {
            "seeds": [asdict(s) | {"seed": n} for s, n in zip(scores, seeds, strict=True)]
        }
        best = rows["source"]["onset_f1"] if has_source else 0.0
        for figures in rows.values():
            figures["share"] = figures["onset_f1"] / best if best else None
        pieces[graded.name] = {"kind": graded.kind, "style": graded.style, "stages": rows}
    return {
        "pieces": pieces,
        "kinds": by_kind(pieces),
        "timing": timing.grade(player, stages, seeds, quick, folder, say),
    }


def _score(midi: Path, wav: Path, sound: Floats, rate: int) -> NoteScore:
    soundfile.write(wav, sound, rate, subtype="FLOAT")
    return score_notes(midi, wav)


def _middle(scores: Sequence[NoteScore]) -> dict[str, float]:
    """Medians over seeds."""
    return {
        "onset_f1": median(s.f1 for s in scores),
        "precision": median(s.precision for s in scores),
        "recall": median(s.recall for s in scores),
        "bias_ms": middle_bias_ms(scores),
    }


def by_kind(pieces: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Mean share of the source's F1 for each kind of piece and stage; empty without a source."""
    kinds: dict[str, dict[str, list[float]]] = {}
    for row in pieces.values():
        for stage, figures in row["stages"].items():
            if figures["share"] is not None:
                kinds.setdefault(row["kind"], {}).setdefault(stage, []).append(figures["share"])
    return {kind: {s: mean(v) for s, v in row.items()} for kind, row in kinds.items()}
