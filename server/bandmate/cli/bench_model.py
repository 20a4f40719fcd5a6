# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench model`: what does a frame cost here?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from bandmate.cli.options import precision_option
from bandmate.engine import benchmark
from bandmate.models.registry import DEFAULT_MODEL, find_bundle


@click.command("model")
@click.option("--model", "name", default=DEFAULT_MODEL, show_default=True, help="Model to time.")
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True)
@click.option(
    "--sessions", type=click.IntRange(1), default=1, show_default=True, help="Played together."
)
@precision_option
@click.option(
    "--reference/--no-reference",
    default=True,
    help="Time magenta-rt as well, where it is installed (official models only).",
)
@click.option(
    "--reference-python",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path(sys.executable),
    help="Interpreter that has magenta-rt; default: this one.",
)
@click.option("--reference-frames", type=click.IntRange(1), default=5, show_default=True)
@click.option(
    "--reference-bits",
    type=click.Choice(["0", "8", "4"]),
    default="0",
    show_default=True,
    help="Bits of the reference's weights; 0 is bfloat16, its fastest on CPUs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    name: str,
    frames: int,
    sessions: int,
    precision: str | None,
    reference: bool,
    reference_python: Path,
    reference_frames: int,
    reference_bits: str,
    as_json: bool,
) -> None:
    """Time a model's frames, part by part.

    Official models whose weights are not here are timed with random ones, which take as long.
    """
    bundle = find_bundle(name)
    if not as_json:
        click.echo(f"Timing {frames} frames of {name} ...")
    result = benchmark.benchmark(bundle, frames, sessions, precision)
    if reference and bundle.family == "mrt2":
        if not as_json:
            click.echo("Timing the reference, if it is installed (minutes) ...")
        other = None
        try:
            other = benchmark.reference_benchmark(
                bundle, reference_python, reference_frames, int(reference_bits)
            )
        except benchmark.BenchmarkError as error:
            # Ours has been timed, which may have taken minutes: it is not thrown away.
            click.echo(str(error), err=True)
        if other is not None:
            result["reference"] = other
            result["ratio"] = round(other["frame_ms"]["p50"] / result["frame_ms"]["p50"], 1)
    click.echo(json.dumps(result, indent=2) if as_json else "\n".join(_table(result)))


def _table(result: dict[str, Any]) -> list[str]:
    frame = result["frame_ms"]
    weights = ", random weights" if result["random_weights"] else ""
    lines = [
        f"{result['model']}{weights}, {result['precision']}, "
        f"{result['sessions']} session(s), {result['blas']}",
        f"  frame      {frame['p50']:8.2f} ms median  {frame['p99']:8.2f} ms p99",
    ]
    for name, part in result["parts_ms"].items():
        lines.append(f"  {name:10} {part['p50']:8.2f} ms median  {part['p99']:8.2f} ms p99")
    lines.append(f"  {result['rtf']:.2f} of real time, peak memory {result['peak_memory_mib']} MiB")
    if "reference" in result:
        other = result["reference"]
        lines.append(
            f"  magenta-rt {other['version']} ({other['precision']}): "
            f"{other['frame_ms']['p50']:.0f} ms median; ours is {result['ratio']} times faster"
        )
    return lines
