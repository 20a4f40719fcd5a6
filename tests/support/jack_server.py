# SPDX-License-Identifier: GPL-3.0-or-later
"""A JACK server of a test's own, on the dummy driver, which keeps real time."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support.sandbox import Sandbox
from support.waiting import wait_for

RATE, BLOCK = 48000, 256
# A machine's register of servers has eight places, and gives one that was left by a server that was
# killed to the next of the same name only. So the names are few; several for runs side by side.
NAMES = tuple(f"bandmate-test-{number}" for number in range(4))
END_SECONDS = 10


@contextmanager
def jack_server(place: Sandbox, rate: int = RATE, block: int = BLOCK) -> Iterator[dict[str, str]]:
    """Gives the environment in which programs find it.

    Raises:
        AssertionError: no server starts, or it does not end by itself: a program that has left it
            without a word keeps it waiting, and everybody's sound with it.
    """
    log_path = place.root / "jackd.log"
    with log_path.open("wb") as log:
        for name in NAMES:
            environment = {
                **place.environment,
                "JACK_DEFAULT_SERVER": name,
                "JACK_NO_AUDIO_RESERVATION": "1",
                "JACK_NO_START_SERVER": "1",
            }
            clock = ["-d", "dummy", "-r", str(rate), "-p", str(block)]
            process = subprocess.Popen(
                ["jackd", "-S", "-n", name, "-r", "-t", "5000", *clock],
                stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip
            try:
                if _answers(process, environment):
                    yield environment
                    return
            finally:
                _end(process)
    raise AssertionError(f"no JACK server starts:\n{log_path.read_text(errors='replace')}")


def ports(environment: dict[str, str], *options: str) -> str | None:
    """Names of the server's ports, a line each; None while it does not answer."""
    done = subprocess.run(
        ["jack_lsp", *options], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def _answers(process: subprocess.Popen[bytes], environment: dict[str, str]) -> bool:
    """Whether the server runs; False where it has ended, as it does where its name is in use."""

    def is_known() -> bool:
        return process.poll() is not None or ports(environment) is not None

    wait_for(is_known, "the JACK server")
    return process.poll() is None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("the JACK server waits for a program that has ended") from None
