# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate render`: a MIDI file played by a model into a WAV file, without a plugin."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bandmate.cli.options import precision_option
from bandmate.models.registry import DEFAULT_MODEL
from bandmate.session.parameters import Parameter

# Options that set a parameter; one left away keeps the model's own default.
PARAMETERS = {
    "temperature": Parameter.TEMPERATURE,
    "top_k": Parameter.TOP_K,
    "guidance_style": Parameter.GUIDANCE_STYLE,
    "guidance_notes": Parameter.GUIDANCE_NOTES,
    "guidance_drums": Parameter.GUIDANCE_DRUMS,
    "drums": Parameter.DRUMS,
    "strum": Parameter.STRUM,
    "midi_gate": Parameter.MIDI_GATE,
    "unmask_width": Parameter.UNMASK_WIDTH,
}
GUIDANCE = click.FloatRange(-1.0, 7.0)


class WeightedStyle(click.ParamType):
    """A style text, optionally with a weight at its end: `warm piano:0.5`."""

    name = "text[:weight]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        text, colon, weight = value.rpartition(":")
        try:
            return (text, min(1.0, max(0.0, float(weight)))) if colon else (value, 1.0)
        except ValueError:
            return value, 1.0  # the colon belongs to the text


@click.command("render")
@click.argument("midi", type=click.Path(path_type=Path), metavar="IN.mid")
@click.argument("wav", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.wav")
@click.option(
    "--style",
    "styles",
    multiple=True,
    type=WeightedStyle(),
    help="What it shall sound like, e.g. 'warm piano'. Give it up to six times to blend, each with "
    "a weight 0..1 if you like: 'warm piano:0.3'.",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--model",
    default=lambda: os.environ.get("BANDMATE_MODEL", DEFAULT_MODEL),
    show_default=DEFAULT_MODEL,
    help="Name of the model bundle.",
)
@precision_option
@click.option(
    "--tail",
    type=click.FloatRange(0.0, 600.0),
    default=2.0,
    show_default=True,
    help="Seconds of sound after the file's last event.",
)
@click.option(
    "--temperature", type=click.FloatRange(0.0, 3.0), help="0 always takes the likeliest."
)
@click.option("--top-k", type=click.IntRange(1, 1024), help="Candidates kept per code.")
@click.option("--guidance-style", type=GUIDANCE, help="How closely to follow the style.")
@click.option("--guidance-notes", type=GUIDANCE, help="How closely to follow the notes.")
@click.option("--guidance-drums", type=GUIDANCE, help="How closely to follow the drums switch.")
@click.option("--drums/--no-drums", default=None, help="Let the model drum (as it likes), or not.")
@click.option("--strum/--no-strum", default=None, help="Let the model strike held notes again.")
@click.option("--midi-gate/--no-midi-gate", default=None, help="Silence while no note is held.")
@click.option(
    "--unmask-width",
    type=click.IntRange(0, 127),
    help="Pitches this near to a held one are kept silent; 127 forbids every note not in the file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    midi: Path,
    wav: Path,
    styles: tuple[tuple[str, float], ...],
    seed: int,
    model: str,
    precision: str | None,
    tail: float,
    as_json: bool,
    **options: float | None,
) -> None:
    """Plays IN.mid with a model and writes OUT.wav (float, the model's rate).

    Time 0 of the WAV is time 0 of the MIDI file. The same file, seed and options give the same
    samples as the plugin gives for the same events.
    """
    # Imported here: `bandmate --help` shall not wait for the sound libraries.
    from bandmate.engine.engine import Engine
    from bandmate.engine.loading import Measure
    from bandmate.session.midi import read_midi
    from bandmate.session.offline import RenderJob, render
    from bandmate.session.wav import WavWriter

    console = Console(stderr=True, quiet=as_json)
    with Engine(measure=Measure.NEVER, precision=precision) as engine:
        with console.status(f"Loading {model}"):
            loaded = engine.load(model).result()
        spec = loaded.bundle.frame
        clip = read_midi(midi, spec.sample_rate)
        job = RenderJob(
            events=clip.events,
            length_samples=clip.length_samples + round(tail * spec.sample_rate),
            seed=seed,
            styles=styles,
            parameters={
                PARAMETERS[name]: float(value)
                for name, value in options.items()
                if value is not None
            },
        )
        seconds = job.length_samples / spec.sample_rate
        progress = Progress(
            TextColumn("Rendering"),
            BarColumn(),
            TextColumn("{task.completed:.1f} of {task.total:.1f} s"),
            TimeRemainingColumn(),
            console=console,
        )
        with (
            progress,
            WavWriter(
                wav, spec.sample_rate, spec.channels, job.length_samples, spec.delay_samples
            ) as writer,
        ):
            task = progress.add_task("render", total=seconds)

            def sink(audio: NDArray[np.float32]) -> None:
                writer.write(audio)
                progress.advance(task, len(audio) / spec.sample_rate)

            report = render(engine, loaded, job, sink)

    if as_json:
        result = {
            "out": str(wav),
            "model": loaded.bundle.name,
            "precision": loaded.precision,
            "seed": seed,
            "seconds": seconds,
            "samples": job.length_samples,
            "sample_rate": spec.sample_rate,
            "notes": clip.note_count,
            "frames": report.frames,
            "wall_seconds": report.seconds,
            "rtf": report.rtf,
        }
        click.echo(json.dumps(result))
    else:
        click.echo(
            f"{wav}: {seconds:.1f} s, {clip.note_count} notes, "
            f"{report.rtf:.2f} of real time ({loaded.bundle.name}, seed {seed})"
        )
