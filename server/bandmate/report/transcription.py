# SPDX-License-Identifier: GPL-3.0-or-later
"""Grades a recording by a transcriber nobody here wrote: Basic Pitch, and mir_eval's matching.

It needs the `eval` extra and basic-pitch's own model file; both come with the test set-up.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bandmate.errors import BandmateError

MODEL_FILE = Path("saved_models") / "icassp_2022" / "nmp.onnx"
MATCH_SECONDS = 0.2  # how far a note may be off and still tell a timing bias
SHORTEST_SECONDS = 0.02


class TranscriberMissingError(BandmateError):
    """The transcriber is not installed."""


@dataclass(frozen=True)
class NoteScore:
    """Onset precision, recall and F1 of a transcription against the notes that were written.

    Attributes:
        written, heard: note counts.
        bias_ms: median of heard minus written over matched notes; NaN where none match.
    """

    f1: float
    precision: float
    recall: float
    written: int
    heard: int
    bias_ms: float


def middle_bias_ms(scores: Sequence[NoteScore]) -> float:
    """Median bias of those scores that have one; NaN if none has."""
    known = [score.bias_ms for score in scores if np.isfinite(score.bias_ms)]
    return float(np.median(known)) if known else float("nan")


def check() -> None:
    """Raises TranscriberMissingError, saying what to do, where the judge is not installed."""
    if any(importlib.util.find_spec(m) is None for m in ("basic_pitch", "onnxruntime", "mir_eval")):
        raise TranscriberMissingError(
            "Grading notes needs the transcriber Basic Pitch. Run `scripts/setup --tests`."
        )


@cache
def _judge() -> Callable[[Path], Any]:
    """From a WAV to the transcriber's notes; its network is loaded once for many pieces."""
    check()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger().setLevel(logging.ERROR)  # it warns of back ends it does not need
        import basic_pitch
        from basic_pitch.inference import Model, predict

        model = Model(Path(basic_pitch.__file__).parent / MODEL_FILE)

    def transcribe(wav: Path) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells its progress there
            return predict(str(wav), model)[1]

    return transcribe


def score_notes(midi: Path, wav: Path, tolerance_seconds: float = 0.05) -> NoteScore:
    """Transcribes `wav` and compares its notes with those of `midi` (percussion left out).

    Args:
        midi: what was asked for.
        wav: what was played; its time 0 is the file's time 0.
        tolerance_seconds: how far an onset may be off and still count.

    Raises:
        TranscriberMissingError: basic-pitch or what it stands on is not installed.
    """
    transcribe = _judge()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mir_eval
        import pretty_midi

        transcription = transcribe(wav)
    written = [
        n for i in pretty_midi.PrettyMIDI(str(midi)).instruments if not i.is_drum for n in i.notes
    ]
    heard = [n for i in transcription.instruments for n in i.notes]
    if not heard or not written:
        return NoteScore(0.0, 0.0, 0.0, len(written), len(heard), float("nan"))

    def arrays(notes: list) -> tuple[np.ndarray, np.ndarray]:
        spans = np.array([[n.start, max(n.end, n.start + SHORTEST_SECONDS)] for n in notes])
        return spans, np.array([pretty_midi.note_number_to_hz(n.pitch) for n in notes])

    reference, estimate = arrays(written), arrays(heard)
    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        *reference, *estimate, onset_tolerance=tolerance_seconds, offset_ratio=None
    )
    pairs = mir_eval.transcription.match_notes(
        *reference, *estimate, onset_tolerance=MATCH_SECONDS, offset_ratio=None
    )
    errors = [estimate[0][e, 0] - reference[0][r, 0] for r, e in pairs]
    bias = float(np.median(errors)) * 1000 if errors else float("nan")
    return NoteScore(float(f1), float(precision), float(recall), len(written), len(heard), bias)
