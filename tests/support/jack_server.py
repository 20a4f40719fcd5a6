# SPDX-License-Identifier: GPL-3.0-or-later
"""A JACK server of a test's own, on the dummy driver, which keeps real time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support.sandbox import Sandbox
from support.waiting import wait_for

RATE, BLOCK = 48000, 256


@contextmanager
def jack_server(place: Sandbox) -> Iterator[dict[str, str]]:
    """Gives the environment in which programs find it."""
    name = f"bs{os.getpid()}-{place.root.name}"
    environment = {
        **place.environment,
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_AUDIO_RESERVATION": "1",
        "JACK_NO_START_SERVER": "1",
    }
    clock = ["-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)]
    with (place.root / "jackd.log").open("wb") as log:
        process = subprocess.Popen(
            ["jackd", "-S", "-n", name, "-r", "-t", "5000", *clock],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
    try:
        wait_for(lambda: ports(environment) is not None, "the JACK server", 60)
        yield environment
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ports(environment: dict[str, str]) -> str | None:
    """Names of the server's ports, a line each; None while it does not answer."""
    done = subprocess.run(["jack_lsp"], env=environment, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
