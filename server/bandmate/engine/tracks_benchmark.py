# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tracks on one server, and as many on a server each: what do they cost here?

Tracks are instances of the built plugin, played live by the plugin's own small host. Everything
runs in folders of its own: the user's server and settings are not touched. As a script it measures
one model's budget: `python -m bandmate.engine.tracks_benchmark MODEL`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bandmate.engine.benchmark import BenchmarkError
from bandmate.link.client import Client

HOST = "bandmate_tracks_host"
BLOCK = 512
SERVER = [sys.executable, "-m", "bandmate", "serve", "--idle-exit", "30"]
SERVER_END_SECONDS = 20

Say = Callable[[str], None]


def find_host(folder: Path) -> Path:
    """The host program in a folder that the plugin was built in. Raises BenchmarkError."""
    for found in folder.rglob(HOST):
        if found.is_file() and os.access(found, os.X_OK):
            return found
    raise BenchmarkError(f"{folder} holds no {HOST}. Build it with scripts/setup, or say --from.")


@dataclass
class _Place:
    """Folders of one server, and the environment that leads to them."""

    root: Path
    environment: dict[str, str]

    @property
    def runtime(self) -> Path:
        return self.root / "run"


@contextlib.contextmanager
def _place(model: str, config: Path | None = None) -> Iterator[_Place]:
    """A place whose server plays `model`; `config` is a settings folder to share."""
    # Directly in the temporary folder: a Unix socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="bm-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        (root / "run").mkdir(mode=0o700)
        environment = {
            **os.environ,
            "BANDMATE_RUNTIME_DIR": str(root / "run"),
            "BANDMATE_CONFIG_DIR": str(config or root / "config"),
            "BANDMATE_SERVER_COMMAND": json.dumps(SERVER),
            "BANDMATE_MODEL": model,
        }
        yield _Place(root, environment)


def benchmark_tracks(
    model: str, counts: list[int], seconds: float, build: Path, say: Say
) -> dict[str, Any]:
    """Plays each number of tracks on one server, then as many with a server each.

    Args:
        model: a model whose weights are here.
        counts: numbers of tracks.
        seconds: how long each is played.
        build: folder that the plugin was built in.
        say: told what is being done.

    Returns:
        JSON object with `tracks` and `separate`: {n, frame_ms {p50, p99}, underruns, memory_mb}
        each. `frame_ms` is what a frame of all n tracks took; for separate servers the sum over
        them, since they share the machine. `memory_mb` is the servers' and hosts' together, pages
        that they share counted once for each.

    Raises:
        BenchmarkError: the plugin is not built, or does not play.
    """
    host = find_host(build)
    with _place(model) as settings:
        say(f"Measuring {model}")
        _measure(model, settings)
        config = Path(settings.environment["BANDMATE_CONFIG_DIR"])
        together, separate = [], []
        for count in counts:
            say(f"{count} on one server")
            with _place(model, config) as place:
                together.append(_summary(count, [_play(host, place, count, seconds)]))
            say(f"{count} with a server each")
            separate.append(_summary(count, _play_apart(host, model, config, count, seconds)))
    return {
        "model": model,
        "block": BLOCK,
        "seconds": seconds,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load_average": round(os.getloadavg()[0], 1),
        "tracks": together,
        "separate": separate,
    }


def _measure(model: str, place: _Place) -> None:
    command = [sys.executable, "-m", __name__, model]
    done = subprocess.run(
        command, env=place.environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BenchmarkError(f"{model} cannot be measured: {reason}")


class _Host:
    """One host process with some tracks; its server ends with `close`."""

    def __init__(self, program: Path, place: _Place, count: int, seconds: float) -> None:
        self._place = place
        command = [str(program), str(count), str(BLOCK), str(seconds)]
        self._process = subprocess.Popen(
            command,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def report(self) -> dict[str, Any]:
        """What the host says at the end, with its server's `sessions` and the `memory_mb`."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            reason = self._process.stderr.read().strip() or "it ended"
            raise BenchmarkError(f"The tracks do not play: {reason}")
        with Client.connect(self._place.runtime) as client:
            sessions = client.status()
        found = json.loads(line)
        server = json.loads((self._place.runtime / "server.json").read_text())["pid"]
        memory = _resident_mb(self._process.pid) + _resident_mb(server)
        return {**found, "sessions": sessions, "memory_mb": memory}

    def close(self) -> None:
        """Ends the host and its server."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate("", timeout=SERVER_END_SECONDS)
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(Exception), Client.connect(self._place.runtime) as client:
            client.shutdown()
            client.wait_for_end(SERVER_END_SECONDS)


def _play(program: Path, place: _Place, count: int, seconds: float) -> dict[str, Any]:
    host = _Host(program, place, count, seconds)
    try:
        return host.report()
    finally:
        host.close()


def _play_apart(
    program: Path, model: str, config: Path, count: int, seconds: float
) -> list[dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        hosts = []
        for _ in range(count):
            place = stack.enter_context(_place(model, config))
            hosts.append(_Host(program, place, 1, seconds))
            stack.callback(hosts[-1].close)
        return [host.report() for host in hosts]


def _summary(count: int, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of the result from the reports of its hosts."""

    def frame_ms(name: str) -> float:
        # Sessions of one server are steps of the same batches.
        servers = [[getattr(s, f"frame_ms_{name}") for s in r["sessions"]] for r in reports]
        return round(float(sum(np.mean(values) for values in servers if values)), 3)

    return {
        "n": count,
        "frame_ms": {name: frame_ms(name) for name in ("p50", "p99")},
        "underruns": sum(report["underruns"] for report in reports),
        "memory_mb": round(sum(report["memory_mb"] for report in reports), 1),
        "problem": next((report["problem"] for report in reports if report["problem"]), ""),
    }


def _resident_mb(pid: int) -> float:
    done = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return int(done.stdout.strip() or 0) * 1024 / 1e6


def main(model: str) -> None:
    """Measures and stores what plugins must know of a model."""
    from bandmate.engine import budget
    from bandmate.engine.engine import Engine
    from bandmate.engine.loading import Measure
    from bandmate.models.registry import find_bundle

    bundle = find_bundle(model)
    with Engine(measure=Measure.ALWAYS) as engine:
        engine.load(model).result()
    budget.store(bundle, None, command=SERVER)


if __name__ == "__main__":
    main(sys.argv[1])
