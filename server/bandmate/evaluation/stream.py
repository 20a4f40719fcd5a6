# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten minutes without a stop: does the sound ring, drift, run away, go silent or get stuck?

The same few pieces go round and round. What a window of time sounds like is compared with the same
window of the other rounds, where the same notes are played.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.evaluation import music
from bandmate.evaluation.player import Player
from bandmate.evaluation.timing import decibels, rests
from bandmate.report.notes import Note, notes_of
from bandmate.session.events import Event
from bandmate.session.midi import read_midi

Floats = NDArray[np.float32]
Values = NDArray[np.float64]

PIECES = ("piano_mono", "piano_chords", "piano_mixed", "piano_sparse")
QUICK_PIECES = ("piano_mono",)
SECONDS, QUICK_SECONDS = 600.0, 60.0
REST_SECONDS = 8.0  # after each piece
WINDOW_SECONDS = 4.0
STYLE = "grand piano"

# The bands. A window is compared with the median of the same window in all rounds.
RMS_BAND_DB = 6.0
CENTROID_BAND_OCTAVES = 0.5
PLAYED_BAND_DBFS = (-45.0, -6.0)
REST_BAND_DBFS = -50.0
# See `likeness`: stuck streams have 0.78 and more, the sound source on this music up to 0.56.
LIKENESS_BAND = 0.7

SLICE_SECONDS = 0.5
LOWEST_KEY, HIGHEST_KEY = 36, 96
AUDIBLE_DB = 40.0


def grade(
    player: Player, seed: int, quick: bool, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Plays and judges; the sound is kept as stream.flac in the folder. See `judge`."""
    names = QUICK_PIECES if quick else PIECES
    events, notes, period = programme(names, QUICK_SECONDS if quick else SECONDS, player.rate)
    seconds = QUICK_SECONDS if quick else SECONDS
    say(f"stream: {seconds / 60:g} minutes")
    styles = [(player.text(STYLE), 1.0)] if player.has_styles else []
    audio = player.play(events, round(seconds * player.rate), styles, seed)
    soundfile.write(folder / "stream.flac", audio, player.rate)
    return {"pieces": list(names), "style": STYLE, **judge(audio, player.rate, notes, period)}


def programme(
    names: Sequence[str], seconds: float, rate: int
) -> tuple[list[Event], list[Note], float]:
    """Pieces and rests, round and round.

    Returns:
        events in order of time and notes, both up to `seconds`, and the seconds of a round, a
        multiple of WINDOW_SECONDS.
    """
    events, notes, at = [], [], 0.0
    for name in names:
        clip = read_midi(music.piece(name), rate)
        offset = round(at * rate)
        events += [e._replace(time=e.time + offset) for e in clip.events]
        notes += [Note(n.start + at, n.end + at, n.pitch) for n in notes_of(clip, rate)]
        at += clip.length_samples / rate + REST_SECONDS
    period = float(np.ceil(at / WINDOW_SECONDS) * WINDOW_SECONDS)
    rounds = int(np.ceil(seconds / period))
    shifts = [k * period for k in range(rounds)]
    all_events = [e._replace(time=e.time + round(s * rate)) for s in shifts for e in events]
    all_notes = [Note(n.start + s, n.end + s, n.pitch) for s in shifts for n in notes]
    return (
        [e for e in all_events if e.time < seconds * rate],
        [n for n in all_notes if n.start < seconds],
        period,
    )


def judge(audio: Floats, rate: int, notes: Sequence[Note], period: float) -> dict[str, Any]:
    """Whether a sound [samples, channels] of `notes`, which repeat every `period` s, is stable.

    Returns:
        stable: all that follows lies in its band; out_of_band: what does not.
        rms_off_db, centroid_off_octaves: the largest deviation of a window with notes from the
            same window in the other rounds.
        quietest_dbfs, loudest_dbfs: of the windows with notes.
        rest_dbfs: the loudest rest.
        likeness: see `likeness`; likeness_worst is that of the worst minute.
        bands: the bands.
        trace: for each window seconds, rms_dbfs, centroid_hz, likeness; what the picture shows.
    """
    size = round(WINDOW_SECONDS * rate)
    count = len(audio) // size
    windows = audio[: count * size].reshape(count, size, -1)
    level = np.array([decibels(w) for w in windows])
    centroid = np.array([centroid_hz(w.mean(axis=1), rate) for w in windows])
    per_round = round(period / WINDOW_SECONDS)
    played = np.array([_played_share(notes, i * WINDOW_SECONDS) > 0.25 for i in range(count)])
    rms_off = _deviation(level, per_round)[played]
    octaves = np.log2(np.maximum(centroid, 1.0))
    centroid_off = _deviation(octaves, per_round)[played]
    quiet = [
        decibels(audio[round(a * rate) : round(b * rate)])
        for a, b in rests(notes, len(audio) / rate)
    ]
    minutes = [
        likeness(audio, rate, [n for n in notes if m <= n.start < m + 60], m)
        for m in np.arange(0, len(audio) / rate - 1, 60)
    ]
    worst = max((m for m in minutes if m is not None), default=None)
    figures = {
        "rms_off_db": float(np.abs(rms_off).max(initial=0.0)),
        "centroid_off_octaves": float(np.abs(centroid_off).max(initial=0.0)),
        "quietest_dbfs": float(level[played].min(initial=0.0)),
        "loudest_dbfs": float(level[played].max(initial=-120.0)),
        "rest_dbfs": max(quiet, default=None),
        "likeness_worst": worst,
    }
    bands = {
        "rms_off_db": (0.0, RMS_BAND_DB),
        "centroid_off_octaves": (0.0, CENTROID_BAND_OCTAVES),
        "quietest_dbfs": (PLAYED_BAND_DBFS[0], 0.0),
        "loudest_dbfs": (-120.0, PLAYED_BAND_DBFS[1]),
        "rest_dbfs": (-120.0, REST_BAND_DBFS),
        "likeness_worst": (0.0, LIKENESS_BAND),
    }
    out = [
        key
        for key, (low, high) in bands.items()
        if (value := figures[key]) is not None and not low <= value <= high
    ]
    return {
        "stable": not out,
        "out_of_band": out,
        **figures,
        "bands": bands,
        "seconds": len(audio) / rate,
        "round_seconds": period,
        "trace": {
            "window_seconds": WINDOW_SECONDS,
            "rms_dbfs": level.tolist(),
            "centroid_hz": centroid.tolist(),
            "likeness_by_minute": minutes,
        },
    }


def _played_share(notes: Sequence[Note], begin: float) -> float:
    """Share of a window in which some key is held."""
    marks = np.zeros(round(WINDOW_SECONDS * 100), bool)
    for note in notes:
        low, high = note.start - begin, note.end - begin
        if high > 0 and low < WINDOW_SECONDS:
            marks[max(0, round(low * 100)) : round(high * 100)] = True
    return float(marks.mean())


def _deviation(values: Values, per_round: int) -> Values:
    """Each window's value less the median of the same window in all rounds."""
    rounds = -(-len(values) // per_round)
    grid = np.full(rounds * per_round, np.nan)
    grid[: len(values)] = values
    grid = grid.reshape(rounds, per_round)
    middle = [np.median(window[np.isfinite(window)]) for window in grid.T if np.isfinite(window[0])]
    off = grid[:, : len(middle)] - np.array(middle)
    whole = np.full(grid.shape, np.nan)
    whole[:, : len(middle)] = off
    return whole.reshape(-1)[: len(values)]


def centroid_hz(mono: Floats, rate: int) -> float:
    """The spectrum's centre of gravity (of magnitudes); 0 for silence."""
    magnitude = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    hertz = np.fft.rfftfreq(len(mono), 1 / rate)
    return float((magnitude * hertz).sum() / (magnitude.sum() + 1e-9))


def likeness(audio: Floats, rate: int, notes: Sequence[Note], begin: float = 0.0) -> float | None:
    """How alike moments sound in which the notes are wholly different.

    A stream that is stuck, hums or repeats itself sounds the same whatever is played.

    Args:
        notes: of the moments to compare.
        begin: seconds of the first of them; a minute is looked at.

    Returns:
        the mean likeness of half seconds that share no pitch class, over that of half seconds that
        have the same notes: 1 for a sound that does not heed the notes. Likeness is the cosine
        between levels over AUDIBLE_DB in semitone bands. None where there are no such pairs.
    """
    size = round(SLICE_SECONDS * rate)
    slices, classes, keys = [], [], []
    for at in np.arange(begin, min(begin + 60.0, len(audio) / rate - SLICE_SECONDS), SLICE_SECONDS):
        end = at + SLICE_SECONDS
        held = {n.pitch for n in notes if n.start < end - 0.1 and n.end > at + 0.1}
        lately = {n.pitch for n in notes if n.start < end and n.end > at - 0.5}
        if held:
            first = round(at * rate)
            slices.append(semitones(audio[first : first + size].mean(axis=1), rate))
            classes.append({pitch % 12 for pitch in held | lately})
            keys.append(held)
    different, same = [], []
    for i, j in itertools.combinations(range(len(slices)), 2):
        if not classes[i] & classes[j]:
            different.append(_cosine(slices[i], slices[j]))
        elif keys[i] == keys[j]:
            same.append(_cosine(slices[i], slices[j]))
    if not different or not same:
        return None
    return float(np.mean(different) / max(float(np.mean(same)), 1e-3))


def semitones(mono: Floats, rate: int) -> Values:
    """Level over AUDIBLE_DB under the loudest band, for each semitone; 0 for silence."""
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 4 * len(mono))) ** 2
    keys = np.arange(LOWEST_KEY, HIGHEST_KEY + 2) - 0.5
    edges = (440 * 2 ** ((keys - 69) / 12) * 4 * len(mono) / rate).astype(int)
    bands = np.array([power[a:b].max() for a, b in itertools.pairwise(edges)])
    if bands.max() < 1e-6:
        return np.zeros(len(bands))
    return np.maximum(10 * np.log10(bands / bands.max() + 1e-12) + AUDIBLE_DB, 0.0)


def _cosine(a: Values, b: Values) -> float:
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / size) if size > 0 else 0.0
