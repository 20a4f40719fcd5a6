# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate bench`: how fast is it here?"""

from __future__ import annotations

import click

from bandmate.cli.lazy import LazyGroup

# In the order of `bandmate bench --help`. A command is the module bench_<name> in this package.
COMMANDS = ("model", "latency", "tracks")


@click.group(
    "bench",
    cls=LazyGroup,
    modules={name: f"{__package__}.bench_{name}" for name in COMMANDS},
)
def command() -> None:
    """Measure speed on this machine."""
