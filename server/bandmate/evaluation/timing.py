# SPDX-License-Identifier: GPL-3.0-or-later
"""When attacks are heard, and how silent it is where nothing is played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.evaluation import music, source
from bandmate.evaluation.codec_stages import CodecStages
from bandmate.evaluation.player import Player
from bandmate.report.notes import Note
from bandmate.report.onsets import measure_onsets

Floats = NDArray[np.float32]

SILENCE_AFTER_SECONDS = 0.6  # of a release: the sound source's piano is under -95 dBFS by then
SILENCE_LEAST_SECONDS = 0.25
BEFORE_ATTACK_SECONDS = 0.03  # of a rest's end: an attack may come a little early
FLOOR = 1e-6


def grade(
    player: Player,
    stages: CodecStages | None,
    seeds: Sequence[int],
    quick: bool,
    folder: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Single notes with long rests, and the single lines of every instrument.

    Args:
        folder: holds PIECE_model_SEED.wav of the single lines; those of the single notes are
            written there.

    Returns:
        For each piece what `figures` gives of the source, of the source through the codec (where
        they are there) and of the model (medians of seeds); the first piece is the one with rests.
    """
    path = music.piece(music.SPARSE)
    say(f"{music.SPARSE}: model, seeds {', '.join(map(str, seeds))}")
    for seed, sound in zip(seeds, player.render(path, "grand piano", seeds), strict=True):
        wav = folder / f"{music.SPARSE}_model_{seed}.wav"
        soundfile.write(wav, sound, player.rate, subtype="FLOAT")
    lines = [(p.path, p.family) for p in music.graded_pieces(quick) if p.kind == "mono"]
    result: dict[str, Any] = {}
    for midi, family in [(path, "grand piano"), *lines]:
        notes = music.notes(midi.stem)
        row: dict[str, Any] = {}
        if source.is_there():
            sound = source.play(midi, source.plainest(family))
            row["source"] = figures(sound, source.SAMPLE_RATE, notes)
            if stages is not None:
                say(f"{midi.stem}: codec")
                coded = stages.stage("quantised", sound)
                row["quantised"] = figures(coded, source.SAMPLE_RATE, notes)
            soundfile.write(folder / f"{midi.stem}_source.wav", sound, source.SAMPLE_RATE)
        played = []
        for seed in seeds:
            wav = folder / f"{midi.stem}_model_{seed}.wav"
            sound, rate = soundfile.read(wav, dtype="float32", always_2d=True)
            played.append(figures(sound, rate, notes))
        row["model"] = {key: _middle([p[key] for p in played]) for key in played[0]}
        result[midi.stem] = row
    return result


def _middle(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return median(known) if known else None


def figures(audio: Floats, rate: int, notes: Sequence[Note]) -> dict[str, float | None]:
    """What a sound [samples, channels] that plays `notes` does in time.

    Returns:
        rest_dbfs: RMS where nothing is held or has just been; None if there is no such place.
        played_dbfs: RMS up to the last note's end.
        onset_median_ms, onset_median_abs_ms: heard minus played, of the attacks that show.
        onset_p90_ms: nine in ten are off by no more.
        onsets_found, onsets_played.
    """
    report = measure_onsets(audio, rate, notes)
    errors = np.abs(report.errors_ms)
    return {
        "rest_dbfs": rest_level(audio, rate, notes),
        "played_dbfs": decibels(audio[: round(notes[-1].end * rate)]),
        "onset_median_ms": report.median_ms if report.found else None,
        "onset_median_abs_ms": float(np.median(errors)) if report.found else None,
        "onset_p90_ms": report.spread_ms if report.found else None,
        "onsets_found": report.found,
        "onsets_played": report.written,
    }


def rest_level(audio: Floats, rate: int, notes: Sequence[Note]) -> float | None:
    """RMS in dB of full scale where nothing is held or has just been; None: there are no rests."""
    pieces = [audio[round(a * rate) : round(b * rate)] for a, b in rests(notes, len(audio) / rate)]
    return decibels(np.concatenate(pieces)) if pieces else None


def rests(notes: Sequence[Note], seconds: float) -> list[tuple[float, float]]:
    """Begin and end in seconds of every place that should be silent, of a sound so long."""
    end, found = -SILENCE_AFTER_SECONDS, []
    for note in [*notes, Note(seconds, 0.0, 0)]:
        begin = end + SILENCE_AFTER_SECONDS
        if note.start - begin >= SILENCE_LEAST_SECONDS:
            found.append((begin, note.start - BEFORE_ATTACK_SECONDS))
        end = max(end, note.end)
    return found


def decibels(audio: NDArray) -> float:
    """RMS of some sound in dB of full scale; -120 is silence."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(audio, dtype=np.float64))) + FLOOR))
