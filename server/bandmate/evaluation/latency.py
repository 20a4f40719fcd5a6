# SPDX-License-Identifier: GPL-3.0-or-later
"""How long from a note's onset token to the first sound of it, in frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.evaluation.player import Player
from bandmate.session.events import Event, EventKind
from bandmate.session.parameters import Parameter

Floats = NDArray[np.float32]

TIMINGS = {"tight": 0.0, "early": 1.0}  # values of Parameter.TIMING
KEYS = (60, 67, 64, 72, 57, 69, 62, 76)
APART_FRAMES = 50  # 2 s: the note before is over
HELD_FRAMES = 12
BLOCK_SECONDS = 0.001
UNDER_PEAK_DB = 20.0  # a tenth of the note's largest amplitude is where its attack begins
OVER_BEFORE_DB = 12.0  # of what sounded before
MARGIN_FRAMES = 0.25  # allowed on top of the codec's own delay: 10 ms


def grade(player: Player, quick: bool, say: Callable[[str], None]) -> dict[str, Any]:
    """Single notes of a piano at many places in a frame, with tight and with early timing.

    Returns:
        delay_frames: the codec's own, which hosts compensate for.
        timings: for each, from where the token says that the note begins (tight: its own place;
            early: its frame's start) to the first audible energy, the codec's delay included:
            frames (median), spread_frames (between the slowest and the fastest tenth), bar_frames;
            off_ms, the median from the key to the sound once a host has compensated the delay;
            heard and played, numbers of notes.
    """
    frame = player.model.bundle.frame
    size = frame.frame_samples
    count = len(KEYS) // 2 if quick else 3 * len(KEYS)
    starts = [
        (n + 1) * APART_FRAMES * size + size * ((5 * n) % (2 * len(KEYS))) // (2 * len(KEYS))
        for n in range(count)
    ]
    events = []
    for n, start in enumerate(starts):
        key = KEYS[n % len(KEYS)]
        events.append(Event(start, EventKind.NOTE_ON, 0, key, 100))
        events.append(Event(start + HELD_FRAMES * size, EventKind.NOTE_OFF, 0, key))
    samples = (count + 1) * APART_FRAMES * size
    styles = [(player.text("grand piano"), 1.0)] if player.has_styles else []
    rows = {}
    for name, value in TIMINGS.items():
        say(f"latency: {name}")
        audio = player.play(events, samples, styles, parameters={Parameter.TIMING: value})
        heard = [first_sound(audio, player.rate, start) for start in starts]
        told = [s if name == "tight" else s // size * size for s in starts]
        late = np.array([h - t for h, t in zip(heard, told, strict=True) if h is not None])
        keyed = np.array([h - s for h, s in zip(heard, starts, strict=True) if h is not None])
        late = late + frame.delay_samples
        some = len(late) > 0
        rows[name] = {
            "frames": float(np.median(late)) / size if some else None,
            "spread_frames": float(np.ptp(np.percentile(late, (10, 90)))) / size if some else None,
            "bar_frames": frame.delay_samples / size + MARGIN_FRAMES,
            "off_ms": float(np.median(keyed)) / player.rate * 1e3 if some else None,
            "heard": len(late),
            "played": count,
        }
    return {"delay_frames": frame.delay_samples / size, "timings": rows}


def first_sound(audio: Floats, rate: int, start: int) -> int | None:
    """The sample at which a note struck at sample `start` is first heard; None if it is not.

    Looked for from 60 ms before to 300 ms after. Audible is what is less than UNDER_PEAK_DB under
    the note's loudest millisecond and OVER_BEFORE_DB over what sounded before.
    """
    size = round(BLOCK_SECONDS * rate)
    begin = start - round(0.06 * rate)
    if begin < 0:
        raise ValueError("a note needs 60 ms before it")
    piece = audio[begin : start + round(0.3 * rate)].astype(np.float64)
    blocks = np.square(piece[: len(piece) // size * size]).reshape(-1, size * audio.shape[1])
    level = 10 * np.log10(blocks.mean(axis=1) + 1e-12)
    before = level[: round(0.03 / BLOCK_SECONDS)].max()
    audible = max(level.max() - UNDER_PEAK_DB, before + OVER_BEFORE_DB, -80.0)
    found = np.flatnonzero(level >= audible)
    return begin + int(found[0]) * size if len(found) else None
