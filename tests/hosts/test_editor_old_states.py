# SPDX-License-Identifier: GPL-3.0-or-later
"""Songs saved by earlier versions open as they were; plugins of their time wrote the files."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from pedalboard import VST3Plugin
from support.pedalboard_host import load

from bandmate.report.preset import model_of, styles_of

DATA = Path(__file__).parent / "data"
STATES: dict[str, dict[str, Any]] = json.loads((DATA / "states.json").read_text(encoding="utf-8"))
# What version 1 did not know stays at its default. It had no bypass of its own: JUCE's wrapper had
# one, and keeps what it saved of it to itself.
NEWER = {"bypass": 0.0, "surface": 0.0, "limiter": 1.0, "cursor_x": 0.5, "style_2_mute": 0.0}


def document(plugin: VST3Plugin) -> ET.Element:
    """The XML of the plugin's own state."""
    state = plugin.preset_data
    begin = state.index(b"<bandmate")
    end = state.index(b"</bandmate>") + len(b"</bandmate>")
    return ET.fromstring(state[begin:end])


def check(plugin: VST3Plugin, expected: dict[str, Any]) -> None:
    values = {name: plugin.parameters[name].raw_value for name in expected["parameters"]}
    assert values == pytest.approx(expected["parameters"], abs=1e-6)
    for name, value in NEWER.items():
        assert plugin.parameters[name].raw_value == value, name
    assert styles_of(plugin.preset_data) == expected["styles"]
    root = document(plugin)
    if "model" not in expected:
        return
    assert model_of(plugin.preset_data) == expected["model"], "a missing model is kept"
    assert root.get("bank") == expected["bank"]
    assert root.get("latency") == expected["latency"]
    prompt = root.findall("prompt")[expected["sound"]["slot"] - 1]
    assert prompt.get("sound") == expected["sound"]["sound"]
    assert prompt.get("sound_name") == expected["sound"]["name"]


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_preset_of_version_1(vst3: Path, name: str) -> None:
    plugin = load(vst3)
    for parameter in plugin.parameters.values():  # nothing is left of what was there before
        if parameter.is_automatable and parameter.name != "Program":
            parameter.raw_value = 1.0 if parameter.num_steps == 2 else 0.9
    plugin.preset_data = (DATA / f"{name}.vstpreset").read_bytes()
    check(plugin, STATES[name])


def test_a_host_s_state_of_version_1(vst3: Path) -> None:
    plugin = load(vst3)
    plugin.raw_state = (DATA / "state_1_changed.raw").read_bytes()
    check(plugin, STATES["state_1_changed"])
    again = load(vst3)
    again.raw_state = plugin.raw_state
    check(again, STATES["state_1_changed"])
