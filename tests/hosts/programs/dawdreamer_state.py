# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters, state and a long render of a VST3 in DawDreamer: PLUGIN RATE BLOCK SECONDS FOLDER.

A process of its own: this host crashes with a plugin.
"""

import json
import sys
from pathlib import Path

import dawdreamer
import numpy as np

plugin, rate, block, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
folder = Path(sys.argv[5])
STEP = 3.0137  # seconds between notes


def is_controller(name: str) -> bool:
    return name.startswith("MIDI CC")


def values(band) -> dict[str, str]:
    """What can be saved, as the plugin shows it; the texts that show a status are no values."""
    return {
        item["name"]: item["text"]
        for item in band.get_parameters_description()
        if not is_controller(item["name"]) and item["name"] not in ("Status", "Underruns")
    }


engine = dawdreamer.RenderEngine(rate, block)
first = engine.make_plugin_processor("first", plugin)
second = engine.make_plugin_processor("second", plugin)
before = values(first)
for item in first.get_parameters_description():
    if item["name"] in before and item["name"] not in ("Volume", "Mute", "Bypass"):
        is_switch = item["numSteps"] == 2
        now = first.get_parameter(item["index"])
        first.set_parameter(item["index"], 1.0 - now if is_switch else 0.37)
moved = values(first)
first.save_state(str(folder / "state"))
second.load_state(str(folder / "state"))
loaded = values(second)

player = engine.make_plugin_processor("player", plugin)
engine.load_graph([(player, [])])
notes = [round(n * STEP * rate) + 5 for n in range(int(seconds / STEP))]
for number, at in enumerate(notes):
    player.add_midi_note(40 + number % 50, 100, (at + 0.25) / rate, 0.2)
engine.render(seconds)
np.save(folder / "audio.npy", engine.get_audio())
report = {"before": before, "moved": moved, "loaded": loaded}
print(json.dumps({**report, "latency": player.get_latency_samples(), "notes": notes}))
