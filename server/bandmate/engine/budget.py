# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame costs on this machine, and the file that tells plugins about it.

The rule: budget = p99 of the measured frame times x 1.15 + 0.5 ms, rounded up to half a
millisecond, at most a frame's length: a model that needs longer cannot be live, and more latency
would not help. The factor is for a warm machine's slower moments, the rest for copying; what the
wake-up of threads and the host's unevenness need is the plugin's margin (core/latency.hpp), which
the user's latency mode decides. The budget is a part of every plugin's latency, so it must not
flicker between two loads: a higher one is stored at once, a lower one only when it is below 70 % of
the stored one. A plugin takes it when its host prepares it, never while it plays.

It is measured when a model is loaded for the first time, frame after frame; and again from every
session that was long enough: there a frame's time runs from the moment its input was complete until
it was delivered. In play each frame comes after a pause, to caches and clocks that have gone to
rest, and takes about half as long again: that is added to the first measurement.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bandmate.errors import BandmateError
from bandmate.models.bundle import Bundle
from bandmate.models.interface import (
    DRUMS_MASKED,
    NOTE_OFF,
    NOTE_SUSTAIN,
    PITCHES,
    FrameControls,
    FrameSpec,
    Model,
    StyleShare,
)
from bandmate.models.registry import DEFAULT_MODEL
from bandmate.paths import config_dir

FILE_NAME = "engine.json"
WARM_UP_FRAMES = 4  # compilation and first touches are paid before anybody plays
MEASURED_FRAMES = 50
MEASURE_SECONDS = 2.0  # on a slow machine fewer frames must do
SESSION_FRAMES = 250  # a session of so many says more than the first measurement
FACTOR = 1.15
PAUSED = 1.5  # a frame after a pause over one that follows another
OVERHEAD_MS = 0.5
STEP_MS = 0.5
LOWER_BELOW = 0.7


class EngineFileError(BandmateError):
    """`engine.json` cannot be written."""


def budget_ms(frame_ms: Sequence[float], frame: FrameSpec, *, played: bool = True) -> float:
    """The budget in milliseconds that measured frame times [ms] ask for.

    Args:
        played: they are a session's; else frames followed one another.
    """
    p99 = float(np.percentile(frame_ms, 99)) * (1.0 if played else PAUSED)
    wanted = math.ceil((p99 * FACTOR + OVERHEAD_MS) / STEP_MS) * STEP_MS
    return min(wanted, frame.frame_samples / frame.sample_rate * 1e3)


def measure(model: Model, bundle: Bundle, frames: int = MEASURED_FRAMES) -> Iterator[float]:
    """Warms the model up, then times single-session frames, one after another.

    Args:
        model: on the inference thread, which this must run on.
        bundle: its description.
        frames: how many to time at most; 0 only warms up.

    Yields:
        A frame's time in milliseconds.
    """
    state = model.init_state()
    started = time.perf_counter()
    for index in range(WARM_UP_FRAMES + frames):
        if index > WARM_UP_FRAMES and time.perf_counter() - started > MEASURE_SECONDS:
            return
        controls = example_controls(bundle, index)
        if index == 0:  # a blend is a graph of its own where graphs are compiled
            parts = tuple(StyleShare(slot, 0.5, controls.style) for slot in range(2))
            controls = replace(controls, blend=parts)
        begin = time.perf_counter()
        _, (state,) = model.step([controls], [state])
        if index >= WARM_UP_FRAMES:
            yield (time.perf_counter() - begin) * 1e3


def example_controls(bundle: Bundle, frame_index: int) -> FrameControls:
    """A frame's conditioning with a held chord and the first style codes."""
    notes = np.full(PITCHES, NOTE_OFF, np.int32)
    notes[[60, 64, 67]] = NOTE_SUSTAIN
    levels = bundle.conditioning.style_levels if bundle.conditioning else 0
    return FrameControls(
        style=np.zeros(levels, np.int32),
        notes=notes,
        drums=DRUMS_MASKED,
        guidance=bundle.defaults.guidance,
        temperature=bundle.defaults.temperature,
        top_k=bundle.defaults.top_k,
        seed=0,
        frame_index=frame_index,
    )


def engine_file() -> Path:
    """Where plugins learn about models and how to start the server."""
    return config_dir() / FILE_NAME


def read_engine_file() -> dict[str, Any]:
    """The file's content; what is missing or broken is left out, since it can be written anew."""
    try:
        content = json.loads(engine_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    models = content.get("models")
    content["models"] = [
        entry
        for entry in (models if isinstance(models, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    ]
    return content


def write_engine_file(content: dict[str, Any]) -> Path:
    """Replaces the file in one step: a reader sees the old or the new one, whole.

    Raises:
        EngineFileError: the folder cannot be written.
    """
    path = engine_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".engine-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.write("\n")
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EngineFileError(
            f"{path} cannot be written: {error.strerror}. Free space there or set "
            "BANDMATE_CONFIG_DIR to a folder of yours."
        ) from error
    return path


def stored_entry(bundle: Bundle) -> dict[str, Any] | None:
    """The entry of `engine.json` that still describes this bundle."""
    for entry in read_engine_file().get("models", []):
        if entry["name"] == bundle.name and all(
            entry.get(key) == value for key, value in _frame(bundle).items()
        ):
            return entry
    return None


def known_ms(bundle: Bundle) -> float | None:
    """The budget that `engine.json` has for this bundle, if it makes sense."""
    known = (stored_entry(bundle) or {}).get("budget_ms")
    if isinstance(known, bool) or not isinstance(known, int | float) or not 0 < known < 1e4:
        return None
    return float(known)


def store(
    bundle: Bundle,
    measured_ms: float | None,
    *,
    precision: dict[str, Any] | None = None,
    **top_level: Any,
) -> float | None:
    """Writes a model's frame and budget into `engine.json`.

    A user's own value (`"budget_fixed": true` beside it) is kept.

    Args:
        bundle: the model.
        measured_ms: the budget measured now, None to keep what is known.
        precision: what `engine.precision` measured, None to keep what is known.
        top_level: other keys of the file to set, e.g. `command`.

    Returns:
        The budget now in force in milliseconds, None if nothing is known.

    Raises:
        EngineFileError: the file cannot be written.
    """
    content = read_engine_file()
    old = stored_entry(bundle) or {}
    budget = _settle(known_ms(bundle), old.get("budget_fixed") is True, measured_ms)
    entry: dict[str, Any] = {"name": bundle.name, **_frame(bundle)}
    entry["defaults"] = _defaults(bundle)
    if budget is not None:
        entry["budget_ms"] = budget
    if old.get("budget_fixed") is True:
        entry["budget_fixed"] = True
    if precision is not None or "precision" in old:
        entry["precision"] = old["precision"] if precision is None else precision
    models = [e for e in content.get("models", []) if e["name"] != bundle.name]
    wanted = {
        "default_model": DEFAULT_MODEL,
        **content,
        **top_level,
        "models": sorted([*models, entry], key=lambda e: str(e["name"])),
    }
    if wanted != content:
        write_engine_file(wanted)
    return budget


def learn(bundle: Bundle, frame_ms: Sequence[float]) -> None:
    """Stores what a session's frame times [ms] ask for, if they are enough to tell.

    Raises:
        EngineFileError: the file cannot be written.
    """
    if len(frame_ms) >= SESSION_FRAMES:
        store(bundle, budget_ms(frame_ms, bundle.frame))


def _settle(known: float | None, is_fixed: bool, measured_ms: float | None) -> float | None:
    if known is None or measured_ms is None or is_fixed:
        return measured_ms if known is None else known
    if measured_ms > known or measured_ms < LOWER_BELOW * known:
        return measured_ms
    return known


def _frame(bundle: Bundle) -> dict[str, int]:
    frame = bundle.frame
    return {
        "frame_samples": frame.frame_samples,
        "sample_rate": frame.sample_rate,
        "channels": frame.channels,
        "delay_samples": frame.delay_samples,
    }


def _defaults(bundle: Bundle) -> dict[str, float]:
    """By the protocol's names: what the plugin shows while the user has chosen nothing."""
    style, notes, drums = bundle.defaults.guidance
    return {
        "temperature": bundle.defaults.temperature,
        "top_k": bundle.defaults.top_k,
        "guidance_style": style,
        "guidance_notes": notes,
        "guidance_drums": drums,
    }
