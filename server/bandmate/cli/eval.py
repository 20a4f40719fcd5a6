# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate eval`: how well a model plays, measured on music and prompts it has never seen."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bandmate.models.registry import DEFAULT_MODEL

PART_NAMES = ("notes", "style", "codec", "stream", "latency")


class Seeds(click.ParamType):
    """Whole numbers, as in 1,2,3."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        if isinstance(value, list):
            return value
        try:
            seeds = [int(part) for part in str(value).split(",")]
        except ValueError:
            seeds = []
        if not seeds or not 0 <= min(seeds) <= max(seeds) < 2**31:
            self.fail(f"{value!r} is not a list of whole numbers, such as 1,2,3", param, ctx)
        return seeds


class Parts(click.ParamType):
    """Some of PART_NAMES, separated by commas."""

    name = "PART,PART,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        if isinstance(value, list):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if unknown := [p for p in parts if p not in PART_NAMES]:
            self.fail(f"no part {unknown[0]!r}: there are {', '.join(PART_NAMES)}", param, ctx)
        return parts


@click.command("eval")
@click.argument("pieces", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--only",
    "parts",
    type=Parts(),
    default=",".join(PART_NAMES),
    show_default=True,
    help="Parts of the yardstick.",
)
@click.option("--quick", is_flag=True, help="Less of everything: a smoke test in a minute or two.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write report.md, its pictures and the sounds into this folder.",
)
@click.option("--seeds", type=Seeds(), default="1,2,3", show_default=True, help="Of the renders.")
@click.option(
    "--model",
    default=lambda: os.environ.get("BANDMATE_MODEL", DEFAULT_MODEL),
    show_default=DEFAULT_MODEL,
    help="Name of the model bundle.",
)
@click.option("--style", help="Style text of PIECES.  [default: grand piano]")
@click.option(
    "--temperature", type=click.FloatRange(0.0, 3.0), help="For PIECES; the model's own by default."
)
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the WAVs here."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def command(
    pieces: tuple[Path, ...],
    parts: list[str],
    quick: bool,
    report: Path | None,
    seeds: list[int],
    model: str,
    style: str | None,
    temperature: float | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Grades a model by the yardstick: notes, styles, codec, long streams, latency.

    The music and the prompts are not in the training data. The upper bound is the same music played
    by a sound source the model learned from. docs/model-card.md says what each figure means.

    With PIECES (MIDI files) only their onset F1 is measured, with one style: the median of seeds.
    The judge of notes is Basic Pitch (onset tolerance 50 ms). It hears piano and plucked sounds
    well, organ and strings badly: compare a style only with itself.
    """
    if pieces and (quick or report):
        raise click.UsageError("--quick and --report are for the yardstick, not for PIECES.")
    if not pieces and (style is not None or temperature is not None):
        raise click.UsageError("--style and --temperature are for PIECES only.")
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        say = stack.enter_context(_progress())
        if pieces:
            result = _pieces(pieces, model, style or "grand piano", seeds, temperature, folder, say)
        else:
            result = _yardstick(model, parts, seeds, quick, folder, report, say)
    if as_json:
        click.echo(json.dumps(result))
    elif pieces:
        _print_pieces(result)
    else:
        _print_yardstick(result)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows on stderr what is being done and for how long it has been going on."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)
        yield lambda text: progress.update(task, description=text)


def _yardstick(
    model: str,
    parts: list[str],
    seeds: list[int],
    quick: bool,
    folder: Path,
    report: Path | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    from bandmate.evaluation import yardstick

    result = yardstick.measure(model, parts, seeds, quick, folder, say)
    if report is not None:
        from bandmate.evaluation.music import notes
        from bandmate.report.yardstick import write

        say("drawing the report")
        write(report, result, folder, notes)
    return result


def _pieces(
    pieces: tuple[Path, ...],
    model: str,
    style: str,
    seeds: list[int],
    temperature: float | None,
    folder: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    from bandmate.evaluation.pieces import grade
    from bandmate.evaluation.player import Player
    from bandmate.evaluation.yardstick import as_json

    with Player(model) as player:
        graded = grade(player, pieces, style, seeds, temperature, folder, say)
    return as_json({"model": model, "style": style, "pieces": graded})


def _print_pieces(result: dict[str, Any]) -> None:
    table = Table("piece", "onset F1", "precision", "recall", "bias ms")
    for name, row in result["pieces"].items():
        parts = [median(s[key] for s in row["seeds"]) for key in ("precision", "recall")]
        shown = [f"{x:.2f}" for x in (row["onset_f1"], *parts)]
        bias = row["bias_ms"]
        table.add_row(name, *shown, "-" if bias is None else f"{bias:+.0f}")
    Console().print(table)


def _print_yardstick(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("part", "figure", "measured", "bar", "reached")
    for row in result["verdicts"]:
        value = "-" if row["value"] is None else f"{row['value']:.3g}"
        reached = "yes" if row["reached"] else "[bold]no[/bold]"
        table.add_row(row["part"], row["figure"], value, row["bar"], reached)
    console.print(table)
    for what, line in result["missing"].items():
        console.print(f"{what}: {line}", soft_wrap=True)
