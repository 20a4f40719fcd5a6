# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands have."""

from __future__ import annotations

import click

from bandmate.models.bundle import AUTO_PRECISION, PRECISIONS

precision_option = click.option(
    "--precision",
    type=click.Choice([AUTO_PRECISION, *PRECISIONS]),
    help="Form of the model's weights; auto measures once. Default: BANDMATE_PRECISION, else what "
    "the model says.",
)
