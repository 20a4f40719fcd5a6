# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays three notes through a plugin in DawDreamer: PLUGIN RATE BLOCK OUT.npy [--fade].

PLUGIN is a VST3's path or an LV2's URI. A process of its own: this host crashes with a plugin.
"""

import json
import sys

import dawdreamer
import numpy as np

plugin, rate, block, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
notes = [rate // 4 + 1, rate // 2 + 3, rate]
engine = dawdreamer.RenderEngine(rate, block)
band = engine.make_plugin_processor("band", plugin)
engine.load_graph([(band, [])])
for at in notes:
    band.add_midi_note(69, 100, (at + 0.25) / rate, 0.15)
total = rate * 2
if "--fade" in sys.argv:
    names = {item["name"]: item["index"] for item in band.get_parameters_description()}
    fade = np.linspace(0.85, 0.3, total).astype(np.float32)
    band.set_automation(names["Volume"], fade)
engine.render(total / rate)
latency = band.get_latency_samples()
np.save(out, engine.get_audio())
print(json.dumps({"latency": latency, "notes": notes}))
