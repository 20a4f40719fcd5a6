# SPDX-License-Identifier: GPL-3.0-or-later
"""What a song saves comes back: parameters, style texts, the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pedalboard_host import load, play

from bandmate.report.preset import model_of, styles_of, with_styles
from bandmate.session.parameters import Parameter

# Protocol name -> plugin name: users count the style slots from 1.
SERVER_PARAMETERS = [
    f"style_weight_{parameter.value + 1}"
    if parameter.name.startswith("STYLE_WEIGHT")
    else parameter.name.lower()
    for parameter in Parameter
]
STYLES = ["warm piano", "späte Nacht, 60s soul ♪", "", 'quotes " & <tags>', "", "the last slot"]


def changed_values(plugin) -> dict[str, str]:
    """Moves every parameter away from where it is and returns what the plugin made of it.

    All but the program, which is no value of its own: it would set the others.
    """
    for key, parameter in plugin.parameters.items():
        if parameter.is_automatable and key != "program":
            parameter.raw_value = 1.0 - parameter.raw_value if parameter.num_steps == 2 else 0.37
    return shown(plugin)


def shown(plugin) -> dict[str, str]:
    """Values as the plugin shows them: whole numbers and switches snap to what they can be."""
    return {key: p.string_value for key, p in plugin.parameters.items() if p.is_automatable}


def test_every_parameter_of_the_protocol_is_there(vst3: Path) -> None:
    names = {parameter.name for parameter in load(vst3).parameters.values()}
    for wanted in ("Volume", "Mute", "Restart on Play", "Temperature", "Top K", "Style Guidance"):
        assert wanted in names
    for wanted in ("Note Guidance", "Drum Guidance", "Drums", "Strum", "MIDI Gate", "Seed"):
        assert wanted in names
    assert sum(name.startswith("Style ") and name[-1].isdigit() for name in names) == 6


@pytest.mark.parametrize("way", ["raw_state", "preset_data"])
def test_parameters_survive(vst3: Path, way: str) -> None:
    first = load(vst3)
    before = shown(first)
    wanted = changed_values(first)
    assert sum(wanted[name] != before[name] for name in wanted) > 15
    second = load(vst3)
    setattr(second, way, getattr(first, way))
    assert shown(second) == wanted
    # A state that is loaded is the state that is saved again: songs do not change by being opened.
    assert getattr(second, way) == getattr(first, way)


def test_style_texts_and_model_survive(vst3: Path) -> None:
    first, second = load(vst3), load(vst3)
    first.preset_data = with_styles(first.preset_data, STYLES)
    assert styles_of(first.preset_data) == STYLES
    second.raw_state = first.raw_state
    assert styles_of(second.preset_data) == STYLES
    play(second, [], 4800)
    assert styles_of(second.preset_data) == STYLES
    assert model_of(second.preset_data) == "testtone"


def test_a_state_loaded_while_playing_is_played(vst3: Path) -> None:
    plugin = load(vst3)
    play(plugin, [], 4800)
    plugin.preset_data = with_styles(plugin.preset_data, ["another style"])
    play(plugin, [], 4800, reset=False)
    assert styles_of(plugin.preset_data)[0] == "another style"


@pytest.mark.parametrize(
    "state", [b"", b"\0" * 100, b"VC2!\xff\xff\xff\x7f<bandmate", b"<x/>" * 50]
)
def test_a_damaged_state_changes_nothing(vst3: Path, state: bytes) -> None:
    """A host may hand over what a crash left of a song; the plugin keeps what it has."""
    plugin = load(vst3)
    wanted = changed_values(plugin)
    preset = plugin.preset_data
    at = preset.index(b"VC2!")
    end = preset.index(b"</bandmate>")
    damaged = preset[:at] + state.ljust(end - at, b"\0")[: end - at] + preset[end:]
    plugin.preset_data = damaged
    assert shown(plugin) == wanted
    play(plugin, [], 4800)
