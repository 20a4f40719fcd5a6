# SPDX-License-Identifier: GPL-3.0-or-later
"""A group of commands that imports only the one that is asked for, so that `--help` is quick."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are modules, each with an attribute `command`."""

    def __init__(self, *args: Any, modules: dict[str, str] | None = None, **kwargs: Any) -> None:
        """`modules`: command name -> full module name, in the order of `--help`."""
        super().__init__(*args, **kwargs)
        self._modules = modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, module in self._modules.items() if importlib.util.find_spec(module)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(self._modules[name]).command
        assert isinstance(command, click.Command)
        return command
