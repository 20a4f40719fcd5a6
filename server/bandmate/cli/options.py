# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

from bandmate.models.bundle import AUTO_PRECISION, PRECISIONS

precision_option = click.option(
    "--precision",
    type=click.Choice([AUTO_PRECISION, *PRECISIONS]),
    help="Form of the model's weights; auto measures once. Default: BANDMATE_PRECISION, else what "
    "the model says.",
)

built_plugin_option = click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the built plugin.  [default: build/plugin]",
)
