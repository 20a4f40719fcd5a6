# SPDX-License-Identifier: GPL-3.0-or-later
"""Does anything a user or host can do, at random, while a VST3 plays: PLUGIN SEED STEPS.

Tells each step before it is done, so that a crash shows what it was; the last line is a report. A
process of its own: it may crash.
"""

import contextlib
import json
import os
import sys

import numpy as np
from pedalboard import load_plugin

from bandmate.report.preset import with_styles

plugin_path, seed, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(seed)
RATES = (44100, 48000, 96000)
BLOCKS = (1, 16, 63, 256, 512, 1024, 5000)
WORDS = ("piano", "späte Nacht", "", "<&>", "drums \N{DRUM WITH DRUMSTICKS}", "a" * 3000, "\t")
# The limiter stays on: nothing over full scale is what it promises.
KEPT = ("limiter", "program")


def pick(options):
    return options[random.integers(len(options))]


def saved_states() -> list[bytes]:
    """Of both models that are here, and of one that is not."""
    states = []
    for model in ("testtone", "pico", "nowhere"):
        os.environ["BANDMATE_MODEL"] = model
        states.append(load_plugin(plugin_path).preset_data)
    os.environ["BANDMATE_MODEL"] = "testtone"
    return states


def random_messages(seconds: float) -> list[tuple[bytes, float]]:
    """Notes mostly, and any other message of a channel."""
    times = np.sort(random.uniform(0, seconds, random.integers(0, 12)))
    messages = []
    for time in times:
        status = pick((0x90, 0x90, 0x90, 0x80, 0xB0, 0xE0, 0xD0, 0xA0, 0xC0)) | random.integers(16)
        size = 2 if status >> 4 in (0xC, 0xD) else 3
        messages.append((bytes([status, *random.integers(0, 128, size - 1).tolist()]), float(time)))
    return messages


print(f"seed {seed}", file=sys.stderr)
states = saved_states()
plugin = load_plugin(plugin_path)
loudest, heard, played = 0.0, 0, 0.0
for step in range(steps):
    did = []
    for key in random.permutation(list(plugin.parameters))[: random.integers(0, 6)]:
        parameter = plugin.parameters[key]
        if parameter.is_automatable and key not in KEPT:
            value = pick((0.0, 1.0, float(random.random())))
            parameter.raw_value = value
            did.append(f"{key}={value:.3f}")
    if random.random() < 0.15:
        number = int(random.integers(len(states)))
        styles = [pick(WORDS) for _ in range(random.integers(0, 7))]
        plugin.preset_data = with_styles(states[number], styles)
        did.append(f"state {number} {[style[:12] for style in styles]}")
    if random.random() < 0.1:
        with contextlib.suppress(RuntimeError):  # the host itself refuses some
            plugin.preset_data = states[0][: random.integers(len(states[0]))] + b"x" * 50
        did.append("a damaged state")
    seconds = float(random.uniform(0.02, 0.4))
    rate, block, reset = pick(RATES), pick(BLOCKS), bool(random.random() < 0.2)
    print(step, f"{seconds:.3f} s at {rate}/{block}", reset, *did, file=sys.stderr)
    audio = plugin(random_messages(seconds), seconds, rate, 2, block, reset)
    assert np.isfinite(audio).all(), "not a number"
    level = float(np.abs(audio).max(initial=0.0))
    assert level <= 1.0, f"{level} is over full scale"
    loudest, heard, played = max(loudest, level), heard + (level > 0.0), played + seconds
print(json.dumps({"loudest": loudest, "heard": heard, "played": played}))
