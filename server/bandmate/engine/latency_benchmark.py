# SPDX-License-Identifier: GPL-3.0-or-later
"""From a note's own time to its sound: the built VST3, played live by a small host of ours.

Server and settings are the benchmark's own: the user's are not touched. The host writes down what
it hears; here it is looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.engine.benchmark import BenchmarkError
from bandmate.link.client import Client

HOST = "bandmate_latency_host"
PLUGIN = "Bandmate.vst3"
GUARD = "libbandmate_audio_guard.so"
BLOCKS = (64, 128, 256, 512, 1024)
RATE = 48000
SETTLE_SECONDS = 3.0  # the first run: the server starts and measures what a frame costs
WAIT_SECONDS = 240.0  # for a server to start and a model to load, beside the run itself
SERVER_END_SECONDS = 20.0
LISTEN_SECONDS = 0.5  # after a note: what begins later is not its sound
AUDIBLE = 0.003  # -50 dB of full scale
OVER_BEFORE = 4.0  # a note stands out from what still sounds by this factor
BEFORE_SECONDS = 0.02
ATTACK_SECONDS = 0.06  # from its first audible sample on, in which a note's attack reaches its peak
SMOOTH_SECONDS = 0.002
TIMINGS = {"tight": 0.0, "early": 1.0}

# What the server logs when a session ends: link/open_session.py.
TIMES = re.compile(r"ms at 50 / 99 / 99.9 %: wake-up ([\d./ ]+), frame ([\d./ ]+)")

Say = Callable[[str], None]


def find_built(folder: Path, name: str) -> Path:
    """A file or bundle in a folder that the plugin was built in. Raises BenchmarkError."""
    found = [path for path in folder.rglob(name) if "CMakeFiles" not in path.parts]
    if not found:
        raise BenchmarkError(
            f"{folder} holds no {name}. Build it with scripts/setup --tests (Linux), or say --from."
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def note_delays(
    sound: NDArray[np.float32], starts: Sequence[int], rate: int
) -> NDArray[np.float64]:
    """How long after each note its first audible sample comes, in ms; NaN where none does.

    Args:
        sound: [samples, channels].
        starts: samples at which notes begin, each well after the last one's end.
        rate: samples a second.
    """
    level = np.abs(sound).max(axis=1)
    delays = []
    for start in starts:
        before = level[max(0, start - int(BEFORE_SECONDS * rate)) : start]
        threshold = max(AUDIBLE, OVER_BEFORE * float(before.max(initial=0.0)))
        window = level[start : start + int(LISTEN_SECONDS * rate)]
        heard = np.flatnonzero(window > threshold)
        delays.append(heard[0] / rate * 1e3 if len(heard) else np.nan)
    return np.array(delays)


def note_attacks(
    sound: NDArray[np.float32], starts: Sequence[int], delays: NDArray[np.float64], rate: int
) -> NDArray[np.float64]:
    """How long after each note its attack is half done, in ms; NaN where it has no sound.

    A sound that comes out of windows begins very quietly before it is there. What is heard as the
    attack is where the level, over 2 ms, comes to half of its peak.

    Args:
        sound, starts, rate: as in `note_delays`.
        delays: from there.
    """
    power = np.square(sound.astype(np.float64)).sum(axis=1)
    smooth = np.ones(max(1, round(SMOOTH_SECONDS * rate)))
    attacks = []
    for start, delay in zip(starts, delays, strict=True):
        if not np.isfinite(delay):
            attacks.append(np.nan)
            continue
        end = start + round(delay / 1e3 * rate) + round(ATTACK_SECONDS * rate)
        level = np.sqrt(np.convolve(power[start:end], smooth, "same"))
        attacks.append(float((level >= level.max() / 2).argmax()) / rate * 1e3)
    return np.array(attacks)


def benchmark_latency(
    model: str,
    blocks: Sequence[int],
    seconds: float,
    build: Path,
    say: Say,
    timing: str = "tight",
    mode: str = "auto",
) -> dict[str, Any]:
    """Plays notes at each block size and measures.

    Args:
        model: a model whose weights are here.
        blocks: host block sizes in samples.
        seconds: how long each is played.
        build: folder that the plugin was built in.
        say: told what is being done.
        timing: when a note begins, `tight` or `early`.
        mode: the plugin's latency mode: auto, low, safe or milliseconds.

    Returns:
        JSON object; `blocks` has one row each, see `_row`. Times in ms but for `plugin_block_us`
        and `machine_us`, what an idle loop of about a block's time takes between blocks: how far
        apart its two figures are is the machine's doing.

    Raises:
        BenchmarkError: the plugin is not built, or does not play.
    """
    host, plugin = find_built(build, HOST), find_built(build, PLUGIN)
    guard = find_built(build, GUARD)
    with _environment(model, mode) as environment:
        environment["LD_PRELOAD"] = str(guard)
        command = [str(host), str(plugin)]
        options = [f"Timing={TIMINGS[timing]}"]
        say(f"Measuring what a frame of {model} costs here")
        _play(command, BLOCKS[-1], SETTLE_SECONDS, [], environment)
        rows = []
        for block in blocks:
            say(f"{seconds:g} s of {model} at blocks of {block}")
            report, sound = _play(command, block, seconds, options, environment)
            rows.append({**_row(block, report, sound), **_server_times(environment)})
    return {
        "model": model,
        "timing": timing,
        "mode": mode,
        "seconds": seconds,
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "blocks": rows,
    }


def _row(block: int, report: dict[str, Any], sound: NDArray[np.float32]) -> dict[str, Any]:
    """One block size's result; `delays_ms` are all notes', `unheard` those without a sound."""
    # A note whose sound would come after the end is none.
    starts = [s for s in report["starts"] if s + LISTEN_SECONDS * RATE < len(sound)]
    delays = note_delays(sound, starts, RATE)
    attacks = note_attacks(sound, starts, delays, RATE)
    heard = delays[np.isfinite(delays)]
    return {
        "block": block,
        "reported_ms": round(report["latency_samples"] / RATE * 1e3, 3),
        "note_to_sound_ms": _percentiles(heard, 50, 99),
        "attack_ms": _percentiles(attacks[np.isfinite(attacks)], 1, 50, 99),
        "notes": len(delays),
        "unheard": int(len(delays) - len(heard)),
        "underruns": report["underruns"],
        "plugin_block_us": report["block_us"],
        "machine_us": report["machine_us"],
        "allocations": report["allocations"],
        "locks": report["locks"],
        "syscalls": report["system_calls"],
        "real_time": report["real_time"],
        "delays_ms": [round(float(d), 3) for d in heard],
    }


def _percentiles(values: NDArray[np.float64], *which: int) -> dict[str, float | None]:
    if not len(values):
        return {f"p{p}": None for p in which}
    found = np.percentile(values, which)
    return {f"p{p}": round(float(v), 3) for p, v in zip(which, found, strict=True)}


@contextlib.contextmanager
def _environment(model: str, mode: str) -> Iterator[dict[str, str]]:
    """Folders of a server of our own, which ends with them."""
    # Directly in the temporary folder: a Unix socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="bm-", ignore_cleanup_errors=True) as folder:
        runtime, config = Path(folder) / "run", Path(folder) / "config"
        runtime.mkdir(mode=0o700)
        server = [sys.executable, "-m", "bandmate", "serve", "--idle-exit", "60"]
        environment = {
            **os.environ,
            "BANDMATE_RUNTIME_DIR": str(runtime),
            "BANDMATE_CONFIG_DIR": str(config),
            "BANDMATE_SERVER_COMMAND": json.dumps(server),
            "BANDMATE_MODEL": model,
            "BANDMATE_LATENCY": mode,
        }
        # Frames and delays of the models: the plugin asks before any server runs.
        install = "from bandmate.engine.latency_benchmark import describe; describe()"
        _run([sys.executable, "-c", install], environment, WAIT_SECONDS)
        try:
            yield environment
        finally:
            with contextlib.suppress(Exception), Client.connect(runtime) as client:
                client.shutdown()
                client.wait_for_end(SERVER_END_SECONDS)


def describe() -> None:
    """Writes every model's frame into `engine.json` of the environment's settings folder."""
    from bandmate.engine import budget
    from bandmate.models.registry import find_bundles

    for found in find_bundles().values():
        budget.store(found.load(), None, command=json.loads(os.environ["BANDMATE_SERVER_COMMAND"]))


def _play(
    command: list[str],
    block: int,
    seconds: float,
    options: list[str],
    environment: dict[str, str],
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    with tempfile.TemporaryDirectory(prefix="bm-") as folder:
        path = Path(folder) / "sound"
        arguments = [str(block), str(seconds), str(path), *options]
        line = _run([*command, *arguments], environment, seconds + WAIT_SECONDS)
        sound = np.fromfile(path, np.float32).reshape(-1, 2)
    return json.loads(line), sound


def _run(command: list[str], environment: dict[str, str], limit: float) -> str:
    """The last line that a program prints. Raises BenchmarkError."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{Path(command[0]).name} did not end in {limit:.0f} s.") from error
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BenchmarkError(f"The plugin does not play: {reason}")
    return (done.stdout.splitlines() or [""])[-1]


def _server_times(environment: dict[str, str]) -> dict[str, Any]:
    """`wake_ms` and `frame_ms` of the last session: {p50, p99, p999}, the last thousand frames."""
    log = Path(environment["BANDMATE_CONFIG_DIR"]) / "server.log"
    found = TIMES.findall(log.read_text(errors="replace")) if log.is_file() else []
    if not found:
        return {}
    parts = [[float(number) for number in part.split("/")] for part in found[-1]]
    names = ("p50", "p99", "p999")
    return {
        key: dict(zip(names, numbers, strict=True))
        for key, numbers in zip(("wake_ms", "frame_ms"), parts, strict=True)
    }
