# SPDX-License-Identifier: GPL-3.0-or-later
"""A server process of a sandbox."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from support.paths import ROOT
from support.sandbox import Sandbox
from support.waiting import wait_for


@contextmanager
def running_server(
    sandbox: Sandbox, *arguments: str, prefix: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """`bandmate serve` with these arguments, ready for plugins; ended afterwards.

    `prefix`: what to put before the command, e.g. the machine to run it on.
    """
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "bandmate", "serve", *arguments],
        env=sandbox.environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(
            lambda: (
                process.poll() is not None or (sandbox.discovery() or {}).get("pid") == process.pid
            ),
            "server's start",
        )
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
