# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench tracks`: what do several tracks cost, on one server and on a server each?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bandmate.cli.options import built_plugin_option
from bandmate.cli.plugin import build_folder
from bandmate.errors import BandmateError
from bandmate.models.registry import DEFAULT_MODEL, check_weights, find_bundle


class PictureError(BandmateError):
    """A picture that cannot be made."""


class TrackCounts(click.ParamType):
    """Numbers of tracks, as in 1,4,8."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        if isinstance(value, list):
            return value
        try:
            counts = sorted({int(part) for part in str(value).split(",")})
        except ValueError:
            counts = []
        if not counts or not 1 <= counts[0] <= counts[-1] <= 64:
            self.fail(f"{value!r} is not a list of numbers from 1 to 64, such as 1,4,8", param, ctx)
        return counts


@click.command("tracks")
@click.option("--tracks", type=TrackCounts(), default="1,4,8", show_default=True)
@click.option("--seconds", type=click.FloatRange(1), default=20.0, show_default=True)
@click.option("--model", "name", default=DEFAULT_MODEL, show_default=True, help="Model to play.")
@built_plugin_option
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the result into this PNG.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    tracks: list[int],
    seconds: float,
    name: str,
    source: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Play several instances of the built plugin live, on one server and on a server each."""
    from bandmate.engine.tracks_benchmark import benchmark_tracks

    bundle = find_bundle(name)
    check_weights(bundle)

    def say(what: str) -> None:
        click.echo(f"{what} ...", err=True)

    result = benchmark_tracks(name, tracks, seconds, build_folder(source), say)
    if picture is not None:
        try:
            from bandmate.report import tracks_picture

            frame_ms = bundle.frame.frame_samples / bundle.frame.sample_rate * 1e3
            tracks_picture.draw(picture, result, frame_ms)
        except ImportError as error:
            raise PictureError("Pictures need Matplotlib: pip install 'bandmate[demo]'.") from error
        except OSError as error:
            raise PictureError(f"{picture} cannot be written: {error.strerror}.") from error
    click.echo(json.dumps(result, indent=2) if as_json else "\n".join(_table(result)))


def _table(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['model']}, {result['seconds']:g} s each, load average {result['load_average']}",
        "tracks                  frame p50   frame p99   underruns    memory",
    ]
    for key, label in (("tracks", "one server"), ("separate", "a server each")):
        for row in result[key]:
            p50, p99 = row["frame_ms"]["p50"], row["frame_ms"]["p99"]
            lines.append(
                f"{row['n']:>6} {label:<14} {p50:8.2f} ms {p99:8.2f} ms "
                f"{row['underruns']:>10} {row['memory_mb']:8.0f} MB"
            )
            if row["problem"]:
                lines.append(f"       {row['problem']}")
    return lines
