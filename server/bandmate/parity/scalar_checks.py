# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single numbers and of the note tracker."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import mlx.core as mx
import numpy as np

from bandmate.models.bundle import GuidanceScale
from bandmate.models.depthformer.sampling import reference_key
from bandmate.models.depthformer.vocabulary import guidance_bin, guidance_bins_float32
from bandmate.models.interface import DRUMS_MASKED, DRUMS_OFF
from bandmate.models.mrt2.codec import to_pcm16
from bandmate.models.mrt2.noise import mapper_noise
from bandmate.parity.config import GUIDANCE_HIGH, GUIDANCE_LOW
from bandmate.parity.language_checks import PCM_GAIN
from bandmate.parity.report import FLOAT32_TOLERANCE, FileReport
from bandmate.session.notes import NoteTracker

FRAME_SAMPLES = 1920  # any frame will do: the traces do not tell places inside frames


def check_scalars(theirs: dict[str, Any]) -> FileReport:
    """Compares everything in `scalars.json`."""
    report = FileReport(FLOAT32_TOLERANCE)
    rows = np.array(theirs["rows"], np.float64)
    for column, step in ((1, 0.2), (2, 1.0)):
        scale = GuidanceScale("", GUIDANCE_LOW, GUIDANCE_HIGH, step)
        ours = [guidance_bin(scale, value) for value in rows[:, 0]]
        report.equal(f"bins, step {step}, float64", ours, rows[:, column])
        narrow = guidance_bins_float32(scale, mx.array(rows[:, 0].astype(np.float32)))
        report.equal(f"bins, step {step}, float32", np.array(narrow), rows[:, column + 2])
    samples = theirs["int16"]
    floats = mx.array(np.array(samples["x_float32"], np.float32))
    expected = next(value for key, value in samples.items() if key != "x_float32")
    report.equal("int16", np.array(to_pcm16(floats, PCM_GAIN)), expected)
    noise = theirs["numpy_randomstate_seed0_randn_first16"]
    report.close("mapper noise", mapper_noise(0, 768)[: len(noise)], noise)
    generator = theirs["mlx_rng"]
    key = reference_key(42)
    report.equal("key42", np.array(key), generator["key42"])
    split = np.array(mx.random.split(key)[1])
    report.equal("split1_of_key42", split, generator["split1_of_key42"])
    gumbel = np.array(generator["gumbel_key42_shape_1_1_8"])
    drawn = np.array(mx.random.gumbel((1, 1, gumbel.size), key=key))
    report.close("gumbel_key42", drawn.reshape(-1), gumbel.reshape(-1))
    return report


def check_note_tracker(theirs: dict[str, Any]) -> FileReport:
    """Plays each trace of `note_tracker.json` through the session's tracker."""
    report = FileReport(0.0)
    for case in theirs["cases"]:
        notes, drums = _trace(case["events"])
        expected = [
            list(chain.from_iterable(repeat(value, count) for value, count in frame["notes_rle"]))
            for frame in case["frames"]
        ]
        report.equal(case["name"], notes, expected)
        report.equal(case["name"] + ", drums", drums, [frame["drum"] for frame in case["frames"]])
    return report


def _trace(events: list[list[Any]]) -> tuple[list[list[int]], list[int]]:
    """Note values and drum value of each frame of a trace."""
    tracker = NoteTracker(FRAME_SAMPLES)
    strum, width, drumless = True, 0, False
    notes, drums = [], []
    for event in events:
        match event:
            case ["on", pitch]:
                tracker.note_on(0, pitch, 100, 0)
            case ["off", pitch]:
                tracker.note_off(0, pitch, 0)
            case ["onset", mode]:
                strum = mode == 0
            case ["width", value]:
                width = value
            case ["drumless", value]:
                drumless = bool(value)
            case ["frame"]:
                values, _ = tracker.frame(strum=strum, unmask_width=width)
                notes.append(values.tolist())
                drums.append(DRUMS_OFF if drumless else DRUMS_MASKED)
            case _:
                raise ValueError(f"unknown event {event}")
    return notes, drums
