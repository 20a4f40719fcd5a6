# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays notes through a VST3 in pedalboard, the audio guard being preloaded: PLUGIN [--misbehave].

Prints the guard's counts. With --misbehave a block of our own does what a block must not.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.clicks import clicks
from support.pedalboard_host import Note, load, play

NAMES = ("blocks", "allocations", "locks", "system_calls", "waits")
NAMES += ("last_system_call", "last_place", "watches_system_calls")


class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in NAMES]


process = ctypes.CDLL(None)
# Without the interpreter's own locks between the two marks
unlocked = ctypes.PyDLL(None)
plugin = load(Path(sys.argv[1]))
play(plugin, [], 4800)  # finds the server; the first blocks wait for it
process.bandmate_audio_guard_reset()
notes = [Note(at, at + 3000, 50 + i) for i, at in enumerate(range(11, 90000, 5003))]
found = 0
if "--misbehave" in sys.argv:
    mutex = ctypes.create_string_buffer(64)
    unlocked.bandmate_audio_block_begin(0)
    unlocked.malloc(100)
    unlocked.pthread_mutex_lock(mutex)
    os.getppid()
    unlocked.bandmate_audio_block_end()
else:
    for block in (64, 512, 333):
        audio = play(plugin, notes, 120000, 48000, block)
        found += len(clicks(audio[:, 0]))
counts = Counts()
process.bandmate_audio_guard_read(ctypes.byref(counts))
report = {name: getattr(counts, name) for name in NAMES}
print(json.dumps({**report, "onsets": found, "notes": 3 * len(notes)}))
