# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate play`: the model as an instrument of its own, without a DAW."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from bandmate.cli.options import precision_option
from bandmate.errors import BandmateError

SWITCH_SECONDS = 0.0005  # how long another Python thread may hold up a block
REFRESH_SECONDS = 0.1
DETACH_SECONDS = 10.0
FLOOR_DB = -60.0
BAR = 30


class PlayError(BandmateError):
    """It cannot be played."""


@click.command("play")
@click.option("--model", default=None, help="Model to play. Default: as for new plugins.")
@click.option("--style", default="warm piano", show_default=True, help="Text prompt.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--port", help="MIDI port, by a part of its name; without it a virtual one is made.")
@click.option("--no-midi", is_flag=True, help="Only the computer's keys.")
@click.option("--output", metavar="DEVICE", help="Audio device by name or number; none: no sound.")
@click.option(
    "--block", type=click.IntRange(16, 8192), default=256, show_default=True, help="Samples."
)
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Keep it in this WAV."
)
@click.option("--seconds", type=click.FloatRange(min=0.1), help="End after so long.")
@click.option("--json", "as_json", is_flag=True, help="No meters; at the end one JSON object.")
@precision_option
def command(
    model: str | None,
    style: str,
    seed: int,
    port: str | None,
    no_midi: bool,
    output: str | None,
    block: int,
    record: Path | None,
    seconds: float | None,
    as_json: bool,
    precision: str | None,
) -> None:
    """Plays live: MIDI or the computer's keys in, the sound card out.

    Keys: a w s e d f t g y h u j k are C to C, z and x an octave down and up, the space bar ends
    all notes, q quits. Ctrl-C quits too.
    """
    from bandmate.engine.budget import DEFAULT_MODEL
    from bandmate.engine.engine import Engine
    from bandmate.play.inputs import InputError, KeyInput, MidiInput
    from bandmate.play.instrument import Instrument
    from bandmate.play.outputs import DeviceOutput, NoOutput
    from bandmate.play.record import Recorder
    from bandmate.session.session import Session

    sys.setswitchinterval(SWITCH_SECONDS)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def say(text: str) -> None:
        click.echo(text, err=True)

    with Engine(precision=precision) as engine, contextlib.ExitStack() as stack:
        loaded = engine.load(model or os.environ.get("BANDMATE_MODEL") or DEFAULT_MODEL).result()
        session = Session(loaded.bundle, loaded.encoder, seed)
        if loaded.encoder is not None and style.strip():
            session.styles.replace({0: loaded.encoder.encode_text(style)})
        spec = loaded.bundle.frame
        instrument = Instrument(session, loaded.budget_ms, block)
        meter = Meter()
        recorder = Recorder(record, spec.sample_rate, spec.channels) if record else None
        if recorder is not None:
            stack.callback(recorder.close)

        def pull(count: int) -> NDArray[np.float32]:
            audio = instrument.pull(count)
            meter.add(audio)
            if recorder is not None:
                recorder.add(audio)
            return audio

        engine.attach(loaded, instrument).result()
        stack.callback(lambda: engine.detach(instrument).result(DETACH_SECONDS))
        if not no_midi:
            try:
                midi = MidiInput(instrument.play, port)
                stack.callback(midi.close)
                say(f"MIDI input: {midi.name}")
            except InputError as error:
                if port is not None:
                    raise
                say(str(error))
        if KeyInput.is_possible():
            keys = KeyInput(instrument.play, ended.set)
            keys.start()
            stack.callback(keys.close)
            say("Keys: a w s e d f t g y h u j k play, z and x change the octave, q quits.")
        # Opened last, as what is last is closed first: while a MIDI port closes, JACK waits for its
        # audio clients, and that closing holds the lock that a callback in Python needs.
        sink: NoOutput | DeviceOutput
        if output == "none":
            sink = NoOutput(pull, spec.sample_rate, block)
        else:
            sink = DeviceOutput(pull, spec.sample_rate, spec.channels, block, output)
        stack.callback(sink.close)
        latency_ms = 1e3 * instrument.latency_samples / spec.sample_rate
        say(f"{loaded.bundle.name} plays {latency_ms:.0f} ms after a key.")
        sink.start()
        begin = time.monotonic()
        with _display(enabled=not as_json and sys.stderr.isatty()) as show:
            while not ended.wait(REFRESH_SECONDS):
                show(_line(instrument, meter.level()))
                if instrument.failure:
                    raise PlayError(instrument.failure)
                if seconds is not None and time.monotonic() - begin >= seconds:
                    break
        played = time.monotonic() - begin
    if as_json:
        times = list(instrument.frame_ms) or [0.0]
        result = {
            "model": loaded.bundle.name,
            "seconds": round(played, 3),
            "latency_ms": round(latency_ms, 3),
            "frame_ms_p50": round(float(np.percentile(times, 50)), 3),
            "frame_ms_p99": round(float(np.percentile(times, 99)), 3),
            "underruns": instrument.underruns,
            "peak": meter.peak,
        }
        click.echo(json.dumps(result))


class Meter:
    """The loudest sample since it was looked at, and of all.

    Attributes:
        peak: of all, 1 is full scale.
    """

    def __init__(self) -> None:
        self.peak = 0.0
        self._recent = 0.0

    def add(self, audio: NDArray[np.float32]) -> None:
        """Takes what is heard. Audio thread."""
        loudest = float(np.abs(audio).max(initial=0.0))
        self._recent = max(self._recent, loudest)
        self.peak = max(self.peak, loudest)

    def level(self) -> float:
        """Since the last call. One thread; a block between two calls may count for either."""
        level, self._recent = self._recent, 0.0
        return level


def _line(instrument: Any, level: float) -> str:
    decibels = max(FLOOR_DB, 20.0 * float(np.log10(max(level, 1e-9))))
    filled = round(BAR * (1.0 - decibels / FLOOR_DB))
    times = list(instrument.frame_ms)[-50:] or [0.0]
    return (
        f"{'█' * filled}{'·' * (BAR - filled)} {decibels:6.1f} dB   "
        f"frame {np.median(times):5.1f} of {instrument.budget_ms:.0f} ms   "
        f"underruns {instrument.underruns}"
    )


@contextlib.contextmanager
def _display(*, enabled: bool) -> Any:
    """Gives what shows a line in place of the last one."""
    if not enabled:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda line: live.update(Text(line), refresh=True)
