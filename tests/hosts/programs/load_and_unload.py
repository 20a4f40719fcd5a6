# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads, plays and drops a VST3 again and again: PLUGIN ROUNDS. Prints what is left each time.

A process of its own: what a plugin leaves behind is counted in it.
"""

import gc
import json
import sys
from pathlib import Path

from pedalboard import load_plugin

plugin_path, rounds = sys.argv[1], int(sys.argv[2])


def threads() -> list[str]:
    """Names of this process's threads."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]


left = []
for _ in range(rounds):
    pair = [load_plugin(plugin_path) for _ in range(2)]
    for plugin in pair:
        plugin([(bytes([0x90, 60, 100]), 0.01)], 0.3, 48000, 2, 512, True)
    playing = len(threads())
    del plugin, pair
    gc.collect()
    left.append(
        {
            "playing": playing,
            "threads": sorted(threads()),
            "files": len(list(Path("/proc/self/fd").iterdir())),
            "segments": sum(
                "segment-" in line for line in Path("/proc/self/maps").read_text().splitlines()
            ),
        }
    )
print(json.dumps(left))
