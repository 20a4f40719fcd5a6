# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate models`: which there are, and getting the official ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bandmate.engine import blas
from bandmate.models.bundle import EXPORT_PRECISIONS, Bundle, BundleError
from bandmate.models.mrt2 import download as downloads
from bandmate.models.mrt2.files import official_files
from bandmate.models.registry import check_weights, find_bundle, find_bundles

LICENCE = "The weights are licensed under CC-BY-4.0: name Google DeepMind's Magenta RealTime 2."


@click.group("models")
def command() -> None:
    """List, download, check and remove models."""


def _official(name: str) -> Bundle:
    bundle = find_bundle(name)
    if bundle.family != "mrt2":
        raise click.UsageError(f"{name} comes with Bandmate; this is for official models.")
    return bundle


def _state(bundle: Bundle) -> str:
    if bundle.family != "mrt2":
        return "ready"
    try:
        check_weights(bundle)
    except BundleError:
        return "not downloaded"
    return "ready"


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_models(as_json: bool) -> None:
    """List the models that can be played, or could be after a download."""
    rows = []
    for name, found in sorted(find_bundles().items()):
        try:
            bundle = found.load()
        except BundleError as error:
            rows.append({"name": name, "state": "broken", "description": str(error)})
            continue
        rows.append(
            {
                "name": name,
                "state": _state(bundle),
                "description": bundle.description,
                "licence": bundle.licence,
                "path": str(found.path),
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:12} {row['state']:15} {row['description']}")


@command.command("path")
@click.argument("name", required=False)
def path(name: str | None) -> None:
    """Print where a model's weights are or belong; without NAME, the official files' folder."""
    files = official_files()
    click.echo(files.root if name is None else files.checkpoint(_official(name).name))


@command.command("download")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def download(name: str, yes: bool) -> None:
    """Fetch an official model and its style encoder from Hugging Face.

    An interrupted download goes on where it ended.
    """
    bundle, files = _official(name), official_files()
    remote = downloads.missing(files, downloads.remote_files(bundle.name))
    click.echo(LICENCE)
    if not remote:
        click.echo(f"{name} is complete in {files.root}.")
        return
    downloads.check_space(files, remote)
    size = sum(file.size for file in remote) / 2**20
    click.echo(f"{len(remote)} files, {size:.0f} MiB, into {files.root}")
    if not yes:
        click.confirm("Download?", default=True, abort=True)
    for place, file in enumerate(remote, 1):
        click.echo(f"[{place}/{len(remote)}] {file.name} ({file.size / 2**20:.0f} MiB)")
        downloads.download(files, file)
    click.echo(f"{name} is ready.")


@command.command("verify")
@click.argument("name")
def verify(name: str) -> None:
    """Compare a model's files with their checksums."""
    bundle, files = _official(name), official_files()
    names = [n for n in downloads.wanted_names(bundle.name) if n in downloads.read_manifest(files)]
    checkpoint = f"checkpoints/{bundle.name}.safetensors"
    wrong = 0
    for file, problem in downloads.verify(files, sorted({*names, checkpoint})):
        wrong += bool(problem)
        click.echo(f"{'FAIL' if problem else 'ok  '} {file}{': ' + problem if problem else ''}")
    sys.exit(1 if wrong else 0)


@command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Delete a model's weights. What the models share stays."""
    bundle, files = _official(name), official_files()
    if not files.checkpoint(bundle.name).is_file():
        click.echo(f"{name} is not there.")
        return
    if not yes:
        click.confirm(f"Delete {files.checkpoint(bundle.name)}?", abort=True)
    for removed in downloads.remove(files, bundle.name):
        click.echo(f"Removed {removed}")


@command.command("export")
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.mlxfn")
@click.option(
    "--precision",
    type=click.Choice(EXPORT_PRECISIONS),
    default="int8",
    show_default=True,
    help="Form of the weights in the file.",
)
def export(name: str, out: Path, precision: str) -> None:
    """Write a model as an MLX function for other tools, and its first state beside it.

    Its inputs and outputs stand in the order that tools for Magenta RealTime 2 expect.
    """
    bundle = _official(name)
    if out.suffix != ".mlxfn":
        raise click.UsageError(f"{out} must end with .mlxfn.")
    blas.activate()  # before MLX is imported
    from bandmate.models.mrt2.export import export_model

    click.echo(f"Exporting {name} ({precision}) ...", err=True)
    state = export_model(bundle, out, precision)
    for file in (out, state):
        click.echo(f"{file} ({file.stat().st_size / 2**20:.1f} MiB)")
