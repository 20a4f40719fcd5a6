# SPDX-License-Identifier: GPL-3.0-or-later
"""The synthesised sounds by the names that sounds.json calls them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sources import drums, fm, organ, pluck, subtractive
from sources.player import Voice

SYNTHS: dict[str, Callable[[np.random.Generator], Voice]] = {
    "analog bass": subtractive.bass,
    "analog lead": subtractive.lead,
    "analog pad": subtractive.pad,
    "drawbar organ": organ.organ,
    "drum machine": drums.machine,
    "fm bass": fm.bass,
    "fm bells": fm.bells,
    "fm brass": fm.brass,
    "fm electric piano": fm.electric_piano,
    "fm lead": fm.lead,
    "plucked guitar": pluck.guitar,
    "plucked harp": pluck.harp,
    "plucked harpsichord": pluck.harpsichord,
    "string machine": subtractive.strings,
}
