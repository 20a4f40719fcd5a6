# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate demo`: a MIDI file through the built plugin in a real host, and what came out."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bandmate.errors import BandmateError

if TYPE_CHECKING:
    from bandmate.report.host import HostedPlugin
    from bandmate.session.midi import MidiClip

SAMPLE_RATE = 48000
TAIL_SECONDS = 2.0
SOURCE_TREE = Path(__file__).resolve().parents[3]
OWN_PIECE = SOURCE_TREE / "tests" / "music" / "demo.mid"


class DemoError(BandmateError):
    """The demo cannot go on."""


@dataclass(frozen=True)
class Result:
    """What a demo measured; times in the unit of their name."""

    model: str
    styles: tuple[str, ...]
    seconds: float
    rtf: float
    latency_ms: float
    onset_median_ms: float
    onset_p90_ms: float
    onsets_found: int
    notes: int
    underruns: int
    peak: float
    wav: str
    png: str


@click.command("demo")
@click.argument("midi", type=click.Path(path_type=Path), required=False, metavar="[FILE.mid]")
@click.option(
    "--style",
    "styles",
    multiple=True,
    default=("grand piano",),
    show_default=True,
    help="What it shall sound like; several blend.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out"),
    show_default=True,
    help="Folder for demo.wav and demo.png.",
)
@click.option("--seed", type=click.IntRange(0, 65535), default=0, show_default=True)
@click.option("--block", type=click.IntRange(1, 8192), default=512, show_default=True)
@click.option(
    "--plugin",
    type=click.Path(path_type=Path),
    help="The VST3 to load.  [default: the one built in this source tree]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    midi: Path | None,
    styles: tuple[str, ...],
    folder: Path,
    seed: int,
    block: int,
    plugin: Path | None,
    as_json: bool,
) -> None:
    """Plays FILE.mid (default: a piece of our own) through the built plugin in a host.

    Writes demo.wav (48 kHz stereo float; its time 0 is the file's, the latency the plugin reports
    being taken off) and demo.png, and prints what was measured. The plugin finds its server or
    starts it, as it does in a DAW.
    """
    from bandmate.report.host import HostedPlugin
    from bandmate.session.midi import read_midi

    console = Console(stderr=True, quiet=as_json)
    clip = read_midi(midi or OWN_PIECE, SAMPLE_RATE)
    if not clip.note_count:
        raise DemoError(f"{midi} holds no notes. Choose another file.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"{folder} cannot be made: {error.strerror}. Choose another.") from error
    with console.status("Loading the plugin; it starts the server and loads the model"):
        host = HostedPlugin(plugin or _built_plugin(), SAMPLE_RATE, block)
        if styles:
            host.set_styles(styles)
        host.set_parameter("seed", seed)
        host.prepare()
    if not host.latency_samples:
        raise DemoError(f"The plugin plays nothing: {host.text_of('status')}")
    audio, seconds = _play(host, clip, console)
    if not audio.any():
        raise DemoError(f"The plugin played nothing: {host.text_of('status')}")
    result = _report(host, clip, audio, seconds, styles, folder, console)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        Console().print(_table(result))


def _built_plugin() -> Path:
    from bandmate.cli.plugin import build_folder, find_built, pieces

    piece = next(piece for piece in pieces() if piece.format == "vst3")
    found = find_built(build_folder(None), piece)
    if found is None:
        raise DemoError("The VST3 is not built. Run scripts/setup.")
    return found


def _play(
    host: HostedPlugin, clip: MidiClip, console: Console
) -> tuple[NDArray[np.float32], float]:
    """Plays the file and returns the sound with the latency taken off, and the seconds it took."""
    length = clip.length_samples + round(TAIL_SECONDS * SAMPLE_RATE)
    total = length + host.latency_samples + SAMPLE_RATE // 2  # should it grow with the next start
    progress = Progress(
        TextColumn("Playing"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.1f} s"),
        TimeRemainingColumn(),
        console=console,
    )
    pieces = []
    began = time.perf_counter()
    with progress:
        task = progress.add_task("play", total=total / SAMPLE_RATE)
        for piece in host.play(clip, total):
            pieces.append(piece)
            progress.advance(task, len(piece) / SAMPLE_RATE)
    took = time.perf_counter() - began
    latency = host.latency_samples
    return np.concatenate(pieces)[latency : latency + length], took


def _report(
    host: HostedPlugin,
    clip: MidiClip,
    audio: NDArray[np.float32],
    took: float,
    styles: tuple[str, ...],
    folder: Path,
    console: Console,
) -> Result:
    from bandmate.report.notes import notes_of
    from bandmate.report.onsets import measure_onsets
    from bandmate.report.picture import draw
    from bandmate.session.wav import WavWriter

    notes = notes_of(clip, SAMPLE_RATE)
    wav, png = folder / "demo.wav", folder / "demo.png"
    with console.status("Measuring and drawing"):
        with WavWriter(wav, SAMPLE_RATE, audio.shape[1], len(audio), 0) as writer:
            writer.write(audio)
        onsets = measure_onsets(audio, SAMPLE_RATE, notes)
        title = f"{host.model} through the plugin: {', '.join(styles) or 'no style text'}"
        try:
            draw(png, audio, SAMPLE_RATE, notes, title)
        except OSError as error:
            raise DemoError(f"{png} cannot be written: {error.strerror}. Free space.") from error
    seconds = len(audio) / SAMPLE_RATE
    return Result(
        model=host.model,
        styles=styles,
        seconds=seconds,
        rtf=seconds / took,
        latency_ms=1e3 * host.latency_samples / SAMPLE_RATE,
        onset_median_ms=onsets.median_ms,
        onset_p90_ms=onsets.spread_ms,
        onsets_found=onsets.found,
        notes=onsets.written,
        underruns=host.underruns,
        peak=float(np.abs(audio).max()),
        wav=str(wav),
        png=str(png),
    )


def _table(result: Result) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("model", result.model)
    table.add_row("style", ", ".join(result.styles) or "the model's own")
    table.add_row("seconds", f"{result.seconds:.1f}")
    table.add_row("real-time factor", f"{result.rtf:.2f} (seconds of sound a second)")
    table.add_row("reported latency", f"{result.latency_ms:.1f} ms")
    table.add_row(
        "onset error",
        f"median {result.onset_median_ms:+.1f} ms, nine in ten within {result.onset_p90_ms:.1f} ms "
        f"({result.onsets_found} of {result.notes} notes heard to start)",
    )
    table.add_row("underruns", str(result.underruns))
    table.add_row("written", f"{result.wav}, {result.png}")
    return table
