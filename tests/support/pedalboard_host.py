# SPDX-License-Identifier: GPL-3.0-or-later
"""The built VST3 in pedalboard, counted in samples.

pedalboard renders offline (the plugin is told so and waits for its frames) and shows an
instrument's output as it comes, late by the latency the plugin reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pedalboard import VST3Plugin, load_plugin

QUARTER = 0.25  # of a sample: seconds that become the same sample whether rounded or cut off


class Note(NamedTuple):
    """A note in host samples."""

    on: int
    off: int
    pitch: int = 69
    velocity: int = 100

    def messages(self, rate: int) -> list[tuple[bytes, float]]:
        """Its two MIDI messages, as pedalboard wants them."""
        return [
            (bytes([0x90, self.pitch, self.velocity]), (self.on + QUARTER) / rate),
            (bytes([0x80, self.pitch, 0]), (self.off + QUARTER) / rate),
        ]


def load(path: Path) -> VST3Plugin:
    """A new instance."""
    plugin = load_plugin(str(path))
    assert plugin.is_instrument
    return plugin


def play(
    plugin: VST3Plugin,
    notes: Sequence[Note],
    samples: int,
    rate: int = 48000,
    block: int = 512,
    reset: bool = True,
) -> NDArray[np.float32]:
    """Renders [samples, 2], uncompensated. `reset=False` goes on from the last call."""
    messages = [message for note in notes for message in note.messages(rate)]
    seconds = (samples + QUARTER) / rate
    messages = [message for message in messages if message[1] < seconds]
    audio = plugin(messages, seconds, rate, 2, block, reset).T
    assert audio.shape == (samples, 2)
    return audio
