# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench latency`: how long from a note to its sound, through the built plugin?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bandmate.cli.options import built_plugin_option
from bandmate.cli.plugin import build_folder
from bandmate.errors import BandmateError
from bandmate.models.registry import DEFAULT_MODEL, check_weights, find_bundle

BLOCKS = (64, 128, 256, 512, 1024)


class PictureError(BandmateError):
    """A picture that cannot be made."""


@click.command("latency")
@click.option(
    "--block", type=click.IntRange(1, 8192), help="One block size.  [default: 64 to 1024]"
)
@click.option("--seconds", type=click.FloatRange(5), default=30.0, show_default=True)
@click.option("--model", "name", default=DEFAULT_MODEL, show_default=True, help="Model to play.")
@click.option(
    "--timing",
    type=click.Choice(["tight", "early"]),
    default="tight",
    show_default=True,
    help="When a note begins: as played, or as soon as its frame does.",
)
@click.option(
    "--mode", default="auto", show_default=True, help="Latency mode: auto, low, safe or ms in all."
)
@built_plugin_option
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw a histogram into this PNG.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    block: int | None,
    seconds: float,
    name: str,
    timing: str,
    mode: str,
    source: Path | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Play notes live through the built VST3 and measure when they are heard."""
    from bandmate.engine.latency_benchmark import benchmark_latency

    check_weights(find_bundle(name))

    def say(what: str) -> None:
        click.echo(f"{what} ...", err=True)

    blocks = (block,) if block else BLOCKS
    result = benchmark_latency(name, blocks, seconds, build_folder(source), say, timing, mode)
    if picture is not None:
        try:
            from bandmate.report import latency_picture

            latency_picture.draw(picture, result)
        except ImportError as error:
            raise PictureError("Pictures need Matplotlib: pip install 'bandmate[demo]'.") from error
        except OSError as error:
            raise PictureError(f"{picture} cannot be written: {error.strerror}.") from error
    click.echo(json.dumps(result) if as_json else "\n".join(_table(result)))


def _table(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['model']}, {result['timing']}, latency mode {result['mode']}, "
        f"{result['seconds']:g} s each, load average {result['load_average']}",
        " block   reported   note to sound p50 / p99   underruns   block p50 / p99.9    faults",
    ]
    for row in result["blocks"]:
        sound, plugin = row["note_to_sound_ms"], row["plugin_block_us"]
        faults = row["allocations"] + row["locks"] + row["syscalls"]
        lines.append(
            f"{row['block']:>6} {row['reported_ms']:7.1f} ms {sound['p50'] or 0:12.1f} / "
            f"{sound['p99'] or 0:.1f} ms {row['underruns']:>12} {plugin['p50']:10.1f} / "
            f"{plugin['p999']:.1f} us {faults:>6}"
        )
        idle = row["machine_us"]
        lines.append(
            f"       an idle loop {idle['p50']:.1f} / {idle['p999']:.1f} us: what the machine takes"
        )
        for key, what in (("wake_ms", "wake-up"), ("frame_ms", "input to sound")):
            if times := row.get(key):
                lines.append(
                    f"       {what} {times['p50']:.2f} / {times['p99']:.2f} / {times['p999']:.2f}"
                    " ms at 50 / 99 / 99.9 %"
                )
        if row["unheard"]:
            lines.append(f"       {row['unheard']} of {row['notes']} notes were not heard")
    return lines
