# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of `bandmate eval`: tables and pictures in report.md, and the sounds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bandmate.report import yardstick_pictures as pictures
from bandmate.report.notes import Note

FILE_NAME = "report.md"
Notes = Callable[[str], Sequence[Note]]


def write(folder: Path, result: dict[str, Any], sounds: Path, notes: Notes) -> Path:
    """Writes the report.

    Args:
        folder: where to; made if it is not there.
        result: of `evaluation.yardstick.measure`.
        sounds: where that run kept its WAVs; they are copied to `folder`/sounds.
        notes: the notes of a held-out piece, by its name.

    Returns:
        the report's path.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "sounds"
    if kept.resolve() != sounds.resolve():
        shutil.copytree(sounds, kept, dirs_exist_ok=True)
    (folder / "result.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    text = [
        f"# {result['model']} {result['version']}",
        "",
        f"Seeds {', '.join(map(str, result['seeds']))}{', quick run' if result['quick'] else ''}. "
        "All figures are in result.json, all sounds in sounds/.",
        "",
        *_table(
            ("part", "figure", "measured", "bar", "reached"),
            (
                (r["part"], r["figure"], _number(r["value"]), r["bar"], _tick(r["reached"]))
                for r in result["verdicts"]
            ),
        ),
        *(f"Not graded: {line}\n" for line in result["missing"].values()),
    ]
    for part, section in (
        ("notes", _notes),
        ("style", _style),
        ("codec", _codec),
        ("stream", _stream),
        ("latency", _latency),
    ):
        if part in result:
            text += ["", f"## {part.capitalize()}", "", *section(folder, kept, result, notes)]
    path = folder / FILE_NAME
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


def _notes(folder: Path, kept: Path, result: dict[str, Any], notes: Notes) -> list[str]:
    graded, seed = result["notes"], result["seeds"][0]
    pictures.stages(folder / "stages.png", graded["pieces"])
    shown = [s for s in pictures.STAGES if s in next(iter(graded["pieces"].values()))["stages"]]
    text = _table(
        ("piece", *(pictures.STAGE_NAMES[s] for s in shown), "share", "bias ms"),
        (
            (
                name,
                *(_number(row["stages"][s]["onset_f1"]) for s in shown),
                _number(row["stages"]["model"]["share"]),
                _number(row["stages"]["model"]["bias_ms"]),
            )
            for name, row in graded["pieces"].items()
        ),
    )
    text += ["![stage by stage](stages.png)", ""]
    text += _table(
        ("piece", "who", "rests dBFS", "onset median ms", "|median| ms", "p90 ms", "found"),
        (
            (
                name,
                who,
                *(
                    _number(figures[key])
                    for key in (
                        "rest_dbfs",
                        "onset_median_ms",
                        "onset_median_abs_ms",
                        "onset_p90_ms",
                    )
                ),
                f"{figures['onsets_found']:g} of {figures['onsets_played']}",
            )
            for name, row in graded["timing"].items()
            for who, figures in row.items()
        ),
    )
    for name in dict.fromkeys([*graded["pieces"], *graded["timing"]]):
        wavs = [
            ("sound source", kept / f"{name}_source.wav"),
            (f"model, seed {seed}", kept / f"{name}_model_{seed}.wav"),
        ]
        there = [(label, wav) for label, wav in wavs if wav.exists()]
        pictures.piece(folder / f"{name}.png", there, notes(name), name)
        text += [f"### {name}", "", f"![{name}]({name}.png)", ""]
    return text


def _style(folder: Path, kept: Path, result: dict[str, Any], notes: Notes) -> list[str]:
    graded = result["style"]
    text = [
        f"The judge tells {graded['judge']:.0%} of the sound source's own sounds.",
        "",
    ]
    for kind, title in (("text", "prompts"), ("audio", "recordings")):
        rows = graded[kind]["rows"]
        pictures.styles(folder / f"style_{kind}.png", rows, kept)
        text += [f"### {title}: {graded[kind]['share']:.0%} right", ""]
        text += _table(
            ("asked for", "family", "heard", ""),
            (
                (
                    r["prompt"],
                    r["family"],
                    r["heard"],
                    _tick(r["family"] == r["heard"]),
                )
                for r in rows
            ),
        )
        text += [f"![{title}](style_{kind}.png)", ""]
    pictures.blends(folder / "blends.png", graded["blends"])
    return [*text, "### blends", "", "![blends](blends.png)", ""]


def _codec(folder: Path, kept: Path, result: dict[str, Any], notes: Notes) -> list[str]:
    graded = result["codec"]
    pictures.codec(folder / "codec.png", graded)
    bits = graded["bits_per_second"]
    text = [f"{bits['codec']:.0f} bit/s; Opus {bits['opus']:.0f} bit/s.", ""]
    text += _table(
        ("", "STFT distance dB", "spectral convergence"),
        (
            (kind, _number(row["log_stft_db"]), _number(row["convergence"]))
            for kind, row in graded["mean"].items()
        ),
    )
    text += _table(
        ("clip", "frame line dB", "hop line dB", "side: source", "codec", "left/right error dB"),
        (
            (
                f"{row['clip']}, {row['family']}",
                _number(row["lines_db"]["codec"]["frame"]),
                _number(row["lines_db"]["codec"]["hop"]),
                _number(row["side_db"]["source"]),
                _number(row["side_db"]["codec"]),
                _number(row["balance_error_db"]["codec"]),
            )
            for row in graded["clips"]
        ),
    )
    return [*text, "![codec](codec.png)", ""]


def _stream(folder: Path, kept: Path, result: dict[str, Any], notes: Notes) -> list[str]:
    graded = result["stream"]
    pictures.stream(folder / "stream.png", graded)
    text = _table(
        ("figure", "measured", "band"),
        (
            (key, _number(graded[key]), f"{low:g} to {high:g}")
            for key, (low, high) in graded["bands"].items()
        ),
    )
    return [*text, "![stream](stream.png)", ""]


def _latency(folder: Path, kept: Path, result: dict[str, Any], notes: Notes) -> list[str]:
    graded = result["latency"]
    text = [f"The codec's own delay is {graded['delay_frames']:.2f} frames.", ""]
    return text + _table(
        ("timing", "frames", "spread", "bar", "ms off the key", "heard"),
        (
            (
                name,
                _number(row["frames"]),
                _number(row["spread_frames"]),
                _number(row["bar_frames"]),
                _number(row["off_ms"]),
                f"{row['heard']} of {row['played']}",
            )
            for name, row in graded["timings"].items()
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _tick(right: bool) -> str:
    return "yes" if right else "**no**"
