# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate parity`: does the model compute what the reference computes?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bandmate.engine import blas

if TYPE_CHECKING:
    from bandmate.parity.report import FileReport


@click.command("parity")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(folder: Path, as_json: bool) -> None:
    """Check the Magenta RealTime 2 implementation against recorded vectors.

    FOLDER holds the vectors with a `config.json` that gives the model's sizes. Every file of
    recordings in it is checked; those that are missing, or that no check knows, are named. Errors
    are relative to the largest value of the array they are in.
    """
    blas.activate()
    from bandmate.parity.config import ParityError
    from bandmate.parity.folder import ParityFolder

    try:
        vectors = ParityFolder(folder)
    except ParityError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"passed": False, "files": {}, "failure": str(error)}, indent=2))
        sys.exit(1)
    files = {}
    for name, report in vectors.reports():
        files[name] = report.summary()
        if not as_json:
            click.echo(_line(name, report))
    passed = bool(files) and all(file["passed"] for file in files.values())
    other = {"missing": vectors.missing(), "not_checked": vectors.unknown()}
    if as_json:
        click.echo(json.dumps({"passed": passed, "files": files, **other}, indent=2))
    else:
        for kind, names in other.items():
            if names:
                click.echo(f"{kind.replace('_', ' ')}: {', '.join(names)}")
        if not files:
            click.echo("There is nothing to check in this folder.")
    sys.exit(0 if passed else 1)


def _line(name: str, report: FileReport) -> str:
    mark = "ok  " if report.passed else "FAIL"
    if report.failure:
        return f"{mark} {name:24} {report.failure}"
    return f"{mark} {name:24} worst {report.worst:.2e} of {report.tolerance:.0e}"
