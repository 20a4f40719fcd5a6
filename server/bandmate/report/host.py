# SPDX-License-Identifier: GPL-3.0-or-later
"""The built VST3 played in a real host (pedalboard), rendering offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pedalboard import VST3Plugin, load_plugin

from bandmate.errors import BandmateError
from bandmate.report.preset import model_of, with_styles
from bandmate.session.events import Event, EventKind
from bandmate.session.midi import MidiClip

NOTE_ON, NOTE_OFF, CONTROL = 0x90, 0x80, 0xB0
# Added to a sample number before it becomes seconds: it then survives being rounded or cut off.
QUARTER_SAMPLE = 0.25


class HostError(BandmateError):
    """The plugin cannot be loaded or played."""


class HostedPlugin:
    """One instance of the plugin at one sample rate and block size.

    Attributes:
        sample_rate: in Hz.
        block: samples a host block.
    """

    def __init__(self, path: Path, sample_rate: int = 48000, block: int = 512) -> None:
        """Loads the plugin. Raises HostError if it is missing or the host refuses it."""
        if not path.exists():
            raise HostError(f"{path} is not there. Build it with scripts/setup.")
        try:
            self._plugin: VST3Plugin = load_plugin(str(path))
        except (ImportError, ValueError, RuntimeError) as error:
            raise HostError(f"{path} cannot be loaded ({error}). Build it again.") from error
        self.sample_rate, self.block = sample_rate, block

    def set_styles(self, styles: Sequence[str]) -> None:
        """Fills the style slots from the first on, each with full weight; empties the others."""
        self._plugin.preset_data = with_styles(self._plugin.preset_data, styles)
        for slot in range(1, len(styles) + 1):
            self._plugin.parameters[f"style_{slot}"].raw_value = 1.0

    def set_parameter(self, name: str, value: float) -> None:
        """Sets a parameter in its own unit. Raises HostError for an unknown name."""
        if name not in self._plugin.parameters:
            raise HostError(f"The plugin has no parameter {name!r}.")
        setattr(self._plugin, name, value)

    def text_of(self, name: str) -> str:
        """What the plugin shows as a parameter's value."""
        return str(self._plugin.parameters[name].string_value)

    @property
    def model(self) -> str:
        """Name of the model it plays."""
        return model_of(self._plugin.preset_data)

    @property
    def underruns(self) -> int:
        """Frames that were not there when due since it was loaded."""
        return int(self.text_of("underruns"))

    @property
    def latency_samples(self) -> int:
        """What the plugin reports; right once something has been played."""
        return int(self._plugin.reported_latency_samples)

    def prepare(self) -> None:
        """Plays one block: the plugin is prepared, finds its server and waits until it is ready."""
        self._render([], self.block, reset=True)

    def play(self, clip: MidiClip, samples: int) -> Iterator[NDArray[np.float32]]:
        """Plays a file from its start in stretches of about half a second.

        Args:
            clip: read at `sample_rate`.
            samples: how much to play.

        Yields:
            [n, channels], as it comes out of the plugin: late by `latency_samples`.
        """
        stretch = max(1, self.sample_rate // 2 // self.block) * self.block
        for begin in range(0, samples, stretch):
            size = min(stretch, samples - begin)
            mine = [event for event in clip.events if begin <= event.time < begin + size]
            messages = [
                (message, (event.time - begin + QUARTER_SAMPLE) / self.sample_rate)
                for event in mine
                if (message := _midi_bytes(event))
            ]
            yield self._render(messages, size, reset=begin == 0)

    def _render(
        self, messages: list[tuple[bytes, float]], samples: int, reset: bool
    ) -> NDArray[np.float32]:
        seconds = (samples + QUARTER_SAMPLE) / self.sample_rate
        audio = self._plugin(messages, seconds, self.sample_rate, 2, self.block, reset)
        return np.ascontiguousarray(audio.T)


def _midi_bytes(event: Event) -> bytes | None:
    if event.kind is EventKind.NOTE_ON:
        return bytes([NOTE_ON | event.channel, event.number, int(event.value)])
    if event.kind is EventKind.NOTE_OFF:
        return bytes([NOTE_OFF | event.channel, event.number, 0])
    if event.kind is EventKind.CONTROL:
        return bytes([CONTROL | event.channel, event.number, int(event.value)])
    return None
