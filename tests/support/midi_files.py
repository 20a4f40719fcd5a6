# SPDX-License-Identifier: GPL-3.0-or-later
"""Short MIDI files out of long ones."""

from __future__ import annotations

from pathlib import Path

import mido


def head(source: Path, target: Path, seconds: float) -> None:
    """Writes the first seconds of a file of one track and one tempo."""
    file = mido.MidiFile(source)
    (track,) = file.tracks
    tempo = next(m.tempo for m in track if m.type == "set_tempo")
    at, kept = 0, []
    for message in track:
        at += message.time
        if mido.tick2second(at, file.ticks_per_beat, tempo) > seconds:
            break
        kept.append(message)
    track[:] = kept
    file.save(target)
