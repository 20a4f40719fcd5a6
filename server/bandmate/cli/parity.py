# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate parity`: does the model compute what the reference computes?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bandmate.engine import blas


@click.command("parity")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(folder: Path, as_json: bool) -> None:
    """Check the Magenta RealTime 2 implementation against recorded vectors.

    FOLDER holds the vectors with a `config.json` that gives the model's sizes. Every file in it is
    checked; errors are relative to the largest value of the array they are in.
    """
    blas.activate()
    from bandmate.parity.folder import ParityFolder

    files = {}
    for name, report in ParityFolder(folder).reports():
        files[name] = report.summary()
        if not as_json:
            mark = "ok  " if report.passed else "FAIL"
            click.echo(f"{mark} {name:24} worst {report.worst:.2e} of {report.tolerance:.0e}")
    passed = bool(files) and all(file["passed"] for file in files.values())
    if as_json:
        click.echo(json.dumps({"passed": passed, "files": files}, indent=2))
    elif not files:
        click.echo("There is nothing to check in this folder.")
    sys.exit(0 if passed else 1)
