# SPDX-License-Identifier: GPL-3.0-or-later
"""Onset F1 of a model on any MIDI files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import soundfile

from bandmate.evaluation.player import Player
from bandmate.report.transcription import middle_bias_ms, score_notes


def grade(
    player: Player,
    pieces: Sequence[Path],
    style: str,
    seeds: Sequence[int],
    temperature: float | None,
    folder: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Plays each piece with every seed and takes the median of seeds.

    Args:
        temperature: None for the model's own.
        folder: WAVs are written there as PIECE_SEED.wav, and kept.

    Returns:
        For each piece onset_f1, bias_ms and the seeds' own figures.
    """
    report: dict[str, Any] = {}
    for piece in pieces:
        say(f"{piece.stem}, seeds {', '.join(map(str, seeds))}")
        scores = []
        sounds = player.render(piece, style, seeds, temperature)
        for seed, sound in zip(seeds, sounds, strict=True):
            wav = folder / f"{piece.stem}_{seed}.wav"
            soundfile.write(wav, sound, player.rate, subtype="FLOAT")
            scores.append(score_notes(piece, wav))
        report[piece.stem] = {
            "onset_f1": median(s.f1 for s in scores),
            "bias_ms": middle_bias_ms(scores),
            "seeds": [asdict(s) | {"seed": n} for s, n in zip(scores, seeds, strict=True)],
        }
    return report
