# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a session that steer the model (volume and the like are the plugin's own).

Values are checked where they come in: by the protocol on the wire, by the command line's options.
"""

from __future__ import annotations

from enum import IntEnum

from bandmate.models.bundle import Defaults

STYLE_SLOTS = 6


class Parameter(IntEnum):
    """The parameters, by the ids of the protocol's table (a test holds the two together)."""

    STYLE_WEIGHT_0 = 0
    STYLE_WEIGHT_1 = 1
    STYLE_WEIGHT_2 = 2
    STYLE_WEIGHT_3 = 3
    STYLE_WEIGHT_4 = 4
    STYLE_WEIGHT_5 = 5
    TEMPERATURE = 6
    TOP_K = 7
    GUIDANCE_STYLE = 8
    GUIDANCE_NOTES = 9
    GUIDANCE_DRUMS = 10
    DRUMS = 11  # 0: none, 1: the model is free to drum
    STRUM = 12  # 1: the model may strike held notes again
    MIDI_GATE = 13  # 1: silence while no note is held
    UNMASK_WIDTH = 14  # pitches beside a held one that are told to be off
    SEED = 15  # takes force with the next epoch, which carries it
    TIMING = 16  # 0 tight: a note begins when it is played; 1 early: with its frame
    LOGIT_GUIDANCE = 17  # 1: guidance acts on the logits too, not only as told to the model


class Parameters:
    """Current values of one session."""

    def __init__(self, defaults: Defaults) -> None:
        """A new session: the model's defaults, the first style, drums free, only played notes."""
        self._values = [0.0] * len(Parameter)
        self._values[Parameter.STYLE_WEIGHT_0] = 1.0
        self._values[Parameter.TEMPERATURE] = float(defaults.temperature)
        self._values[Parameter.TOP_K] = float(defaults.top_k)
        guidance = slice(Parameter.GUIDANCE_STYLE, Parameter.GUIDANCE_DRUMS + 1)
        self._values[guidance] = map(float, defaults.guidance)
        self._values[Parameter.DRUMS] = 1.0
        self._values[Parameter.UNMASK_WIDTH] = 127.0  # only what is played may sound

    def __setitem__(self, parameter: Parameter, value: float) -> None:
        self._values[parameter] = value

    def __getitem__(self, parameter: Parameter) -> float:
        return self._values[parameter]

    def whole(self, parameter: Parameter) -> int:
        """A whole-number parameter's value."""
        return round(self._values[parameter])

    def is_on(self, parameter: Parameter) -> bool:
        """A switch's value."""
        return self._values[parameter] >= 0.5

    @property
    def style_weights(self) -> tuple[float, ...]:
        """Weights of the style slots in order."""
        first = Parameter.STYLE_WEIGHT_0
        return tuple(self._values[first : first + STYLE_SLOTS])
