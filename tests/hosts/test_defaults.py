# SPDX-License-Identifier: GPL-3.0-or-later
"""One set of defaults: the protocol's, the plugin's, the bundle's and `bandmate render`'s agree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.file_player import play_file
from support.paths import MUSIC, ROOT
from support.pedalboard_host import load
from support.sandbox import Sandbox

from bandmate import _protocol as wire
from bandmate.models.registry import find_bundle
from bandmate.session.parameters import Parameter, Parameters

PIECE = MUSIC / "heldout_mono.mid"
SECONDS = 3.0
STYLE = "warm piano"
# By the titles the plugin shows; styles are counted from 1 there.
TITLES = {
    "guidance_style": "style_guidance",
    "guidance_notes": "note_guidance",
    "guidance_drums": "drum_guidance",
    **{f"style_weight_{slot}": f"style_{slot + 1}" for slot in range(6)},
}
WORDS = {"Off": 0.0, "False": 0.0, "On": 1.0, "True": 1.0, "Tight": 0.0, "Early": 1.0}


def shown_by_plugin(vst3: Path) -> dict[str, float]:
    """What a new instance shows, by the protocol's names and in its units."""
    plugin = load(vst3)
    values = {}
    for parameter in wire.PARAMETERS:
        text = plugin.parameters[TITLES.get(parameter.name, parameter.name)].string_value
        number, _, unit = str(text).partition(" ")
        value = WORDS[number] if number in WORDS else float(number)
        values[parameter.name] = value / 100 if unit == "%" else value
    return values


def of_model(name: str) -> dict[str, float]:
    """What a session of this model begins with when nobody has chosen anything."""
    values = Parameters(find_bundle(name).defaults)
    return {parameter.name.lower(): values[parameter] for parameter in Parameter}


@pytest.mark.parametrize("model", ["pico", "testtone"])
def test_protocol_plugin_and_model_agree(vst3: Path, model: str, monkeypatch) -> None:
    monkeypatch.setenv("BANDMATE_MODEL", model)
    protocol = {parameter.name: parameter.initial for parameter in wire.PARAMETERS}
    assert shown_by_plugin(vst3) == pytest.approx(protocol)
    assert of_model(model) == pytest.approx(protocol)


def test_the_settings_file_tells_what_the_bundles_say(own_folders: Sandbox) -> None:
    entries = json.loads((own_folders.config / "engine.json").read_text())["models"]
    assert {entry["name"] for entry in entries} >= {"pico", "testtone"}
    for entry in entries:
        model = of_model(entry["name"])
        assert entry["defaults"] == {name: model[name] for name in entry["defaults"]}
        assert set(entry["defaults"]) >= {"temperature", "top_k", "guidance_style"}


def test_a_new_instance_plays_what_the_command_renders() -> None:
    """With nothing set on either side, for a model that has a default of its own."""
    place = Sandbox(BANDMATE_MODEL="hot")
    try:
        folder = place.config / "models" / "hot"
        shutil.copytree(ROOT / "server" / "bandmate" / "bundles" / "pico", folder)
        description = json.loads((folder / "bundle.json").read_text())
        description["name"] = "hot"
        description["defaults"]["temperature"] = 0.9
        (folder / "bundle.json").write_text(json.dumps(description))
        place.install_plugin()
        # The limiter, which the command has not, bends nothing so far below full scale
        report, played = play_file(place, PIECE, SECONDS + 1.0, styles=[STYLE])
        assert (report["model"], report["underruns"]) == ("hot", 0), report
        out = place.root / "out.wav"
        done = place.bandmate("render", PIECE, out, "--style", STYLE, "--model", "hot")
        assert done.returncode == 0, done.stderr
        rendered = soundfile.read(out, dtype="float32")[0]
    finally:
        place.close()
    length = round(SECONDS * 48000)
    played = played[report["latency"] :][:length]
    assert 0.01 < np.abs(played).max() < 0.85
    np.testing.assert_array_equal(played, rendered[:length])
