# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate plugin`: puts the built plugin where hosts look and tells it about the server."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from bandmate.cli.options import built_plugin_option
from bandmate.errors import BandmateError
from bandmate.paths import plugin_folders

NAME = "Bandmate"
SUFFIXES = {"vst3": ".vst3", "lv2": ".lv2", "au": ".component", "standalone": ""}
IDLE_EXIT_SECONDS = 60  # a server that a plugin started ends when nobody has used it for so long


class PluginFilesError(BandmateError):
    """Plugin files that are missing or cannot be copied."""


@dataclass(frozen=True)
class Piece:
    """One format of the plugin.

    Attributes:
        format: key of `paths.plugin_folders`.
        target: where hosts look for it.
    """

    format: str
    target: Path

    @property
    def installed(self) -> bool:
        """Whether something is there."""
        return self.target.exists()


def pieces() -> list[Piece]:
    """Every format this platform has."""
    found = []
    for kind, folder in plugin_folders().items():
        suffix = ".app" if kind == "standalone" and sys.platform == "darwin" else SUFFIXES[kind]
        found.append(Piece(kind, folder / f"{NAME}{suffix}"))
    return found


def server_command() -> list[str]:
    """What a plugin runs to start the server: this very installation."""
    return [
        sys.executable,
        "-m",
        "bandmate",
        "serve",
        "--idle-exit",
        str(IDLE_EXIT_SECONDS),
    ]


def build_folder(given: Path | None) -> Path:
    """The folder that holds the built plugin.

    Raises:
        PluginFilesError: there is none.
    """
    source_tree = Path(__file__).resolve().parents[3]
    places = [given] if given else [source_tree / "build" / "plugin", Path("build/plugin")]
    for place in places:
        if place.is_dir():
            return place
    raise PluginFilesError(
        f"There is no built plugin in {places[0]}. "
        "Build it with scripts/setup, or say --from FOLDER."
    )


def find_built(folder: Path, piece: Piece) -> Path | None:
    """The built bundle or program of one format; the newest if there are several builds."""
    name = piece.target.name
    if piece.format == "standalone" and not name.endswith(".app"):
        found = [p for p in folder.rglob(name) if p.is_file() and os.access(p, os.X_OK)]
    else:
        found = [p for p in folder.rglob(name) if p.is_dir() and "CMakeFiles" not in p.parts]
    return max(found, key=lambda p: p.stat().st_mtime, default=None)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copies a file or folder; a host sees the old or the new one, never half of it."""
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, fresh, symlinks=True)
        else:
            shutil.copy2(source, fresh)
        if target.exists() or target.is_symlink():
            target.rename(old)
        fresh.rename(target)
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or "some of its files cannot be copied"
        raise PluginFilesError(f"{target} cannot be installed: {reason}.") from error
    finally:
        for leftover in (fresh, old):
            if leftover.exists():
                _remove(leftover)


def _write_engine_file(measure: bool, console: Console) -> list[str]:
    """Tells plugins of every model and how to start the server; returns the models' names."""
    from bandmate.engine import budget
    from bandmate.engine.engine import Engine
    from bandmate.engine.loading import Measure
    from bandmate.models.registry import check_weights, find_bundles

    names = []
    with Engine(measure=Measure.ALWAYS) as engine:
        for name, found in find_bundles().items():
            try:
                bundle = found.load()
                try:
                    check_weights(bundle)
                except BandmateError:
                    continue  # a known model the user has not fetched: nothing is wrong
                if measure:
                    with console.status(f"Measuring {name}"):
                        engine.load(name).result()
                budget.store(bundle, None, command=server_command())
            except budget.EngineFileError:
                raise
            except BandmateError as error:
                # A broken model must not keep the others from being installed.
                console.print(f"bandmate: {error}", markup=False)
                continue
            names.append(name)
    return names


@click.group("plugin")
def command() -> None:
    """Installs the plugin for this user, or removes it."""


@command.command("install")
@built_plugin_option
@click.option(
    "--measure/--no-measure",
    default=True,
    show_default=True,
    help="Measure what a frame of each model costs here (some seconds); it decides the latency.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def install(source: Path | None, measure: bool, as_json: bool) -> None:
    """Copies the plugin where hosts look and writes where the server is to be found."""
    console = Console(stderr=True, quiet=as_json)
    folder = build_folder(source)
    built = {piece: find_built(folder, piece) for piece in pieces()}
    if not any(built.values()):
        raise PluginFilesError(
            f"{folder} holds no {NAME} plugin. Build it with scripts/setup, or say --from FOLDER."
        )
    done = {}
    for piece, found in built.items():
        if found is not None:
            _copy(found, piece.target)
            done[piece.format] = str(piece.target)
    models = _write_engine_file(measure, console)
    if as_json:
        click.echo(json.dumps({"installed": done, "models": models}))
        return
    for kind, target in done.items():
        click.echo(f"{kind:<11}{target}")
    click.echo(f"{'models':<11}{', '.join(models)}")


@command.command("uninstall")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def uninstall(as_json: bool) -> None:
    """Removes the plugin from this user's folders. Settings and models stay."""
    removed = []
    for piece in pieces():
        if not piece.installed:
            continue
        try:
            _remove(piece.target)
        except OSError as error:
            raise PluginFilesError(
                f"{piece.target} cannot be removed: {error.strerror}."
            ) from error
        removed.append(str(piece.target))
    if as_json:
        click.echo(json.dumps({"removed": removed}))
    else:
        click.echo("\n".join(removed) or "The plugin is not installed.")


@command.command("path")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def path(as_json: bool) -> None:
    """Tells where each format goes and whether it is there."""
    if as_json:
        report = {p.format: {"path": str(p.target), "installed": p.installed} for p in pieces()}
        click.echo(json.dumps(report))
        return
    for piece in pieces():
        state = "installed" if piece.installed else "not installed"
        click.echo(f"{piece.format:<11}{state:<15}{piece.target}")
