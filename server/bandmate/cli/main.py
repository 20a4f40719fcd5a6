# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `bandmate`: finds its commands lazily and turns errors into one line each."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from bandmate import __version__
from bandmate.cli.lazy import LazyGroup
from bandmate.errors import BandmateError

# In the order of `bandmate --help`. A command is the module of its name in this package.
COMMANDS = (
    "demo",
    "render",
    "play",
    "serve",
    "key",
    "plugin",
    "doctor",
    "models",
    "bench",
    "eval",
    "parity",
)
INTERRUPTED = 130  # the shell's exit status for Ctrl-C


@click.group(
    cls=LazyGroup,
    modules={name: f"{__package__}.{name}" for name in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bandmate")
def cli() -> None:
    """A live music model as an instrument in any DAW: the local server and its tools."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs a command and exits: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        cli.main(args=arguments, prog_name="bandmate", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except BandmateError as error:
        if os.environ.get("BANDMATE_DEBUG") == "1":
            raise
        click.echo(f"bandmate: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing is wrong. Python would complain again
        # when it flushes at exit, so give it somewhere to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(0)
