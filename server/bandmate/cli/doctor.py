# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate doctor`: what is there, what is missing and how to get it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from bandmate import __version__
from bandmate.errors import BandmateError
from bandmate.paths import config_dir, runtime_dir

FREE_MIB = 200  # less than this and recordings or model files soon fail


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: ok, missing (Bandmate cannot work) or note (it works, something could be better).
        detail: what was found.
        hint: what to do, empty when all is well.
    """

    name: str
    state: str
    detail: str
    hint: str = ""


def _system() -> Iterator[Finding]:
    yield Finding("bandmate", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    cores = os.cpu_count() or 1
    yield Finding(
        "system",
        "ok",
        f"{platform.system()} {platform.machine()}, {cores} cores, "
        f"Python {platform.python_version()}",
    )


def _module(module: str, name: str, hint: str) -> Finding:
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken library fails in ways of its own
        return Finding(name, "missing", f"{module}: {error}", hint)
    return Finding(name, "ok", module)


def _libraries() -> Iterator[Finding]:
    from bandmate.engine import blas

    fast = blas.activate()
    yield Finding("matrix library", "ok" if fast.fast else "note", fast.name, fast.hint)
    hint = "Install Bandmate again: pip install --force-reinstall bandmate (or run scripts/setup)."
    yield _module("mlx.core", "MLX", hint)
    yield _module("bandmate._protocol", "protocol module", hint)
    yield _module("soundfile", "sound files", hint)
    yield _module("zmq", "messages", hint)


def _models() -> Iterator[Finding]:
    from bandmate.models.registry import DEFAULT_MODEL, check_weights, find_bundles

    bundles = find_bundles()
    for name, found in sorted(bundles.items()):
        try:
            bundle = found.load()
        except BandmateError as error:
            yield Finding(f"model {name}", "missing", "broken", str(error))
            continue
        try:
            check_weights(bundle)
        except BandmateError as error:
            yield Finding(f"model {name}", "note", "its weights are not here", str(error))
            continue
        yield Finding(f"model {name}", "ok", f"{bundle.family} {bundle.version} in {found.path}")
    if DEFAULT_MODEL not in bundles:
        yield Finding(
            f"model {DEFAULT_MODEL}",
            "missing",
            "the default model is not there",
            f"Install Bandmate again, or put a model into {config_dir() / 'models'}.",
        )


def _plugin() -> Iterator[Finding]:
    from bandmate.cli.plugin import pieces

    for piece in pieces():
        if piece.installed:
            yield Finding(f"plugin {piece.format}", "ok", str(piece.target))
        else:
            yield Finding(
                f"plugin {piece.format}",
                "note",
                f"not in {piece.target.parent}",
                "Run `bandmate plugin install`.",
            )


def _priority() -> Iterator[Finding]:
    from bandmate.engine import priority

    if not sys.platform.startswith("linux"):
        return
    if priority.may_raise():
        yield Finding("priority", "ok", f"frames are made at nice {priority.NICE}")
    else:
        yield Finding("priority", "note", "ordinary", priority.ADVICE)


def _engine_file() -> Iterator[Finding]:
    from bandmate.engine.budget import engine_file, read_engine_file

    content = read_engine_file()
    command = content.get("command")
    if not content:
        yield Finding(
            "plugin settings",
            "note",
            f"no readable {engine_file()}",
            "Run `bandmate plugin install`: plugins learn there how to start the server.",
        )
    elif not (isinstance(command, list) and command and shutil.which(str(command[0]))):
        yield Finding(
            "plugin settings",
            "missing",
            f"{engine_file()} names a server that is not there",
            "Run `bandmate plugin install` again.",
        )
    else:
        yield Finding("plugin settings", "ok", str(engine_file()))
    for entry in content.get("models", []):
        if isinstance(entry.get("budget_ms"), int | float):
            yield Finding(f"budget {entry['name']}", "ok", f"{entry['budget_ms']} ms a frame")


def _server() -> Iterator[Finding]:
    from bandmate.link.discovery import SOCKET_PATH_BYTES, read_discovery

    folder = runtime_dir()
    yield Finding("private folder", "ok", str(folder))
    if len(os.fsencode(folder / "control")) > SOCKET_PATH_BYTES:
        yield Finding(
            "private folder",
            "missing",
            "its path is too long for a socket",
            "Set BANDMATE_RUNTIME_DIR to a shorter folder.",
        )
    running = read_discovery(folder)
    if running is None:
        yield Finding("server", "ok", "not running (plugins start it by themselves)")
    else:
        yield Finding("server", "ok", f"running, process {running.pid}, version {running.version}")


def _disk() -> Iterator[Finding]:
    for folder in filter(Path.is_dir, (runtime_dir(), Path.home())):
        free = shutil.disk_usage(folder).free // 2**20
        if free < FREE_MIB:
            yield Finding(
                "disk", "note", f"{free} MiB free in {folder}", "Free space there before recording."
            )
            return
    yield Finding("disk", "ok", f"more than {FREE_MIB} MiB free")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _system,
    _libraries,
    _priority,
    _models,
    _plugin,
    _engine_file,
    _server,
    _disk,
)


def examine() -> list[Finding]:
    """All findings. A check that itself fails is a finding, so that the others are still made."""
    findings = []
    for check in CHECKS:
        try:
            findings += list(check())
        except (BandmateError, OSError) as error:
            findings.append(Finding(check.__name__.strip("_"), "missing", "failed", str(error)))
    return findings


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON list.")
def command(as_json: bool) -> None:
    """Checks the installation. Exits with 1 if something Bandmate needs is missing."""
    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        colours = {"ok": "green", "note": "yellow", "missing": "red"}
        for finding in findings:
            state = click.style(f"{finding.state:<8}", fg=colours[finding.state])
            hint = f"  -> {finding.hint}" if finding.hint else ""
            click.echo(f"{state}{finding.name:<18}{finding.detail}{hint}")
    sys.exit(any(finding.state == "missing" for finding in findings))
