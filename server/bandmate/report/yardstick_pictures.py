# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of what `bandmate eval` measured, for a person to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import stft

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot as plt

from bandmate.report.notes import Note
from bandmate.report.picture import draw_spectrogram

STAGES = ("source", "features", "unquantised", "quantised", "model")
STAGE_NAMES = {
    "source": "sound source",
    "features": "codec's features",
    "unquantised": "codec, not quantised",
    "quantised": "codec, quantised",
    "model": "language model",
}
RIGHT, WRONG = "#1a7f37", "#c62828"
THUMBNAIL_HZ, THUMBNAIL_DB = 8000.0, 70.0


def _read(wav: Path) -> tuple[NDArray[np.float32], int]:
    audio, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    return audio.mean(axis=1), rate


def piece(
    path: Path, sounds: Sequence[tuple[str, Path]], notes: Sequence[Note], title: str
) -> None:
    """Spectrograms of the same piece, one under the other, with its notes drawn over them.

    Args:
        sounds: a label and a WAV for each.
    """
    figure, rows = plt.subplots(
        len(sounds), 1, figsize=(14, 4.2 * len(sounds)), sharex=True, layout="constrained"
    )
    try:
        figure.suptitle(title)
        for axes, (label, wav) in zip(np.atleast_1d(rows), sounds, strict=True):
            mono, rate = _read(wav)
            draw_spectrogram(axes, mono, rate, notes)
            axes.set_xlim(0, len(mono) / rate)
            axes.set_title(label, loc="left")
        figure.savefig(path, dpi=80)
    finally:
        plt.close(figure)


def stages(path: Path, pieces: dict[str, Any]) -> None:
    """Onset F1 of every piece, stage by stage: where the notes are lost."""
    names = list(pieces)
    shown = [s for s in STAGES if s in pieces[names[0]]["stages"]]
    figure, axes = plt.subplots(figsize=(max(7, 1.25 * len(names)), 5), layout="constrained")
    try:
        width = 0.8 / len(shown)
        for number, stage in enumerate(shown):
            values = [pieces[name]["stages"][stage]["onset_f1"] for name in names]
            places = np.arange(len(names)) + (number - (len(shown) - 1) / 2) * width
            axes.bar(places, values, width, label=STAGE_NAMES[stage], color=f"C{number}")
        for number, name in enumerate(names):
            seeds = [row["f1"] for row in pieces[name]["stages"]["model"].get("seeds", [])]
            place = number + (len(shown) - 1) / 2 * width
            axes.plot([place] * len(seeds), seeds, "k_", markersize=5)
        axes.set_xticks(range(len(names)), [n.replace("_", "\n") for n in names], fontsize=8)
        axes.set(ylabel="onset F1 (judge: Basic Pitch); dashes: seeds", ylim=(0, 1.18))
        axes.legend(loc="upper center", ncol=len(shown), fontsize=8)
        axes.grid(axis="y", alpha=0.3)
        figure.savefig(path, dpi=100)
    finally:
        plt.close(figure)


def styles(path: Path, rows: Sequence[dict[str, str]], folder: Path) -> None:
    """A small spectrogram of every prompt's sound, titled with what was asked for and heard."""
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(4 * columns, 2.1 * lines), squeeze=False, layout="constrained"
    )
    try:
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, row in zip(grid.flat, rows, strict=False):
            mono, rate = _read(folder / row["file"])
            level = 20 * np.log10(np.abs(stft(mono, rate, nperseg=2048)[2]) + 1e-6)
            top = round(THUMBNAIL_HZ / rate * 2048)
            loudest = float(level.max())
            axes.imshow(
                level[:top],
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=loudest - THUMBNAIL_DB,
                vmax=loudest,
            )
            right = row["heard"] == row["family"]
            title = f"{row['prompt']}\n-> {row['heard']}"
            axes.set_title(title, fontsize=7.5, color=RIGHT if right else WRONG)
        figure.savefig(path, dpi=80)
    finally:
        plt.close(figure)


def blends(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """How far each step of a blend has come from the first prompt's sound to the other's."""
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    try:
        for row in rows:
            weights = np.linspace(0, 1, len(row["positions"]))
            axes.plot(weights, row["positions"], "o-", label=f"{row['from']} to {row['to']}")
        axes.plot([0, 1], [0, 1], ":", color="grey", label="even")
        axes.set(xlabel="weight of the second prompt", ylabel="part of the way that is heard")
        axes.legend(fontsize=8)
        figure.savefig(path, dpi=80)
    finally:
        plt.close(figure)


def codec(path: Path, result: dict[str, Any]) -> None:
    """Distances of the codec and of Opus for each clip, and how many codes of a book are in use."""
    rows = result["clips"]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(16, 4.8), layout="constrained")
    try:
        kinds = {
            "features": "no codes",
            "codec": "codec",
            "opus": "Opus, 6 kbit/s, mono",
            "shuffled": "codes shuffled",
        }
        for axes, figure_of, label in (
            (left, "log_stft_db", "multi-resolution STFT distance, dB"),
            (middle, "convergence", "spectral convergence"),
        ):
            for number, (kind, name) in enumerate(kinds.items()):
                places = np.arange(len(rows)) + 0.2 * (number - 1.5)
                axes.bar(places, [row[kind][figure_of] for row in rows], 0.2, label=name)
            clips = [row["family"].replace(" and ", "\n").replace(" ", "\n") for row in rows]
            axes.set_xticks(range(len(rows)), clips, fontsize=8)
            axes.set_ylabel(label)
        left.legend(fontsize=8)
        right.bar(range(len(result["perplexity"])), result["perplexity"])
        right.set(xlabel="codebook", ylabel=f"perplexity over {result['frames']} frames")
        figure.savefig(path, dpi=80)
    finally:
        plt.close(figure)


def stream(path: Path, result: dict[str, Any]) -> None:
    """Level, colour and likeness of a long stream over time, round after round."""
    trace = result["trace"]
    step, period = trace["window_seconds"], result["round_seconds"]
    times = (np.arange(len(trace["rms_dbfs"])) + 0.5) * step
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, figsize=(13, 8), sharex=True, layout="constrained"
    )
    try:
        verdict = "stable" if result["stable"] else f"unstable: {', '.join(result['out_of_band'])}"
        top.set_title(f"{result['seconds'] / 60:g} minutes: {verdict}")
        top.plot(times, trace["rms_dbfs"])
        top.set_ylabel("RMS, dBFS")
        middle.plot(times, trace["centroid_hz"])
        middle.set_ylabel("spectral centroid, Hz")
        likeness = [np.nan if v is None else v for v in trace["likeness_by_minute"]]
        bottom.plot((np.arange(len(likeness)) + 0.5) * 60, likeness, "o-")
        bottom.axhline(result["bands"]["likeness_worst"][1], color=WRONG, linestyle=":")
        bottom.set(xlabel="seconds (lines: a new round of the same pieces)", ylim=(0, 1.3))
        bottom.set_ylabel("likeness where notes differ")
        for axes in (top, middle, bottom):
            for at in np.arange(period, result["seconds"], period):
                axes.axvline(at, color="grey", linewidth=0.8, alpha=0.6)
        figure.savefig(path, dpi=80)
    finally:
        plt.close(figure)
