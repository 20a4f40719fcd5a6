# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate eval`: how well a model plays what it is given, judged by a transcriber."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from bandmate.errors import BandmateError
from bandmate.models.registry import DEFAULT_MODEL
from bandmate.report.transcription import NoteScore, score_notes


def render(
    midi: Path, wav: Path, model: str, style: str, seed: int, temperature: float | None
) -> None:
    """Plays one piece with one seed, by the command a user would give.

    Raises:
        BandmateError: it failed; the message is the command's own.
    """
    command = [sys.executable, "-m", "bandmate", "render", str(midi), str(wav), "--json"]
    command += ["--model", model, "--style", style, "--seed", str(seed)]
    if temperature is not None:
        command += ["--temperature", str(temperature)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BandmateError(done.stderr.strip().removeprefix("bandmate: "))


@click.command("eval")
@click.argument("pieces", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--style", default="grand piano", show_default=True, help="Style text of all pieces.")
@click.option("--seeds", default="1,2,3", show_default=True, help="Seeds, separated by commas.")
@click.option(
    "--model",
    default=lambda: os.environ.get("BANDMATE_MODEL", DEFAULT_MODEL),
    show_default=DEFAULT_MODEL,
    help="Name of the model bundle.",
)
@click.option("--temperature", type=click.FloatRange(0.0, 3.0), help="The model's own by default.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the WAVs here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    pieces: tuple[Path, ...],
    style: str,
    seeds: str,
    model: str,
    temperature: float | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Plays each of PIECES (MIDI files) with every seed and prints onset F1: the median of seeds.

    The judge is Basic Pitch (onset tolerance 50 ms). It hears piano and plucked sounds well, organ
    and strings badly: compare a style only with itself.
    """
    try:
        numbers = [int(s) for s in seeds.split(",")]
    except ValueError as error:
        raise click.BadParameter("whole numbers separated by commas, e.g. 1,2,3") from error
    console = Console(stderr=True, quiet=as_json)
    report: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for piece in pieces:
            scores: list[NoteScore] = []
            for seed in numbers:
                with console.status(f"{piece.stem}, seed {seed}"):
                    wav = folder / f"{piece.stem}_{seed}.wav"
                    render(piece, wav, model, style, seed, temperature)
                    scores.append(score_notes(piece, wav))
            report[piece.stem] = {
                "onset_f1": median(s.f1 for s in scores),
                "bias_ms": median(s.bias_ms for s in scores),
                "seeds": [asdict(s) | {"seed": n} for s, n in zip(scores, numbers, strict=True)],
            }
    if as_json:
        click.echo(json.dumps({"model": model, "style": style, "pieces": report}))
        return
    table = Table("piece", "onset F1", "precision", "recall", "bias ms")
    for name, row in report.items():
        parts = [median(s[key] for s in row["seeds"]) for key in ("precision", "recall")]
        shown = [f"{x:.2f}" for x in (row["onset_f1"], *parts)]
        table.add_row(name, *shown, f"{row['bias_ms']:+.0f}")
    Console().print(table)
