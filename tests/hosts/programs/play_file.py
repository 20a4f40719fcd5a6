# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a MIDI file through a VST3 in pedalboard: a JSON job on the command line, see `main`.

A process of its own, so that a test can give it an environment and survive its crash.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from bandmate.report.host import HostedPlugin
from bandmate.session.midi import read_midi

POLL_SECONDS = 0.2


def main() -> None:
    """Job keys: plugin, midi, out (.npy), styles, parameters, rate, block, seconds, ready_seconds.

    `seconds` is how much to play; `ready_seconds` how long to wait at most until the plugin is
    ready, for models that take longer to load than the plugin itself waits.
    """
    job = json.loads(sys.argv[1])
    rate, block = job.get("rate", 48000), job.get("block", 512)
    host = HostedPlugin(Path(job["plugin"]), rate, block)
    host.set_styles(job.get("styles", []))
    for name, value in job.get("parameters", {}).items():
        host.set_parameter(name, value)
    clip = read_midi(Path(job["midi"]), rate)
    latest = time.monotonic() + job.get("ready_seconds", 0.0)
    while time.monotonic() < latest:
        host.prepare()
        if host.text_of("status") == "ready":
            break
        time.sleep(POLL_SECONDS)
    began = time.monotonic()
    audio = np.concatenate(list(host.play(clip, round(job["seconds"] * rate))))
    np.save(job["out"], audio)
    report = {
        "latency": host.latency_samples,
        "took": time.monotonic() - began,
        "status": host.text_of("status"),
        "underruns": host.underruns,
        "model": host.model,
    }
    print(json.dumps(report))


main()
