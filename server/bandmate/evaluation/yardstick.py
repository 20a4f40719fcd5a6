# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts of the yardstick, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bandmate.evaluation import codec, latency, notes, source, stream, style, verdicts
from bandmate.evaluation.codec_stages import CodecStages, NoStagesError
from bandmate.evaluation.player import Player
from bandmate.report import transcription

PARTS = ("notes", "style", "codec", "stream", "latency")
NEEDS_SOURCE = ("style", "codec")


def measure(
    model: str,
    parts: Sequence[str],
    seeds: Sequence[int],
    quick: bool,
    folder: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Grades a bundle.

    Args:
        parts: some of PARTS.
        seeds: of the renders whose median counts; a quick run takes the first alone.
        folder: for the sounds, which are kept.
        say: is told what is being done.

    Returns:
        For each part its figures, as JSON; `missing` says in a line what could not be graded and
        how to get it; `verdicts` lists the figures that have a bar to reach.

    Raises:
        BandmateError: the model or the music is not there.
    """
    seeds = list(seeds)[: 1 if quick else None]
    missing: dict[str, str] = {}
    parts = [p for p in PARTS if p in parts]
    if not source.is_there():
        missing["source"] = source.how_to_get()
        parts = [p for p in parts if p not in NEEDS_SOURCE]
    if "notes" in parts:
        try:
            transcription.check()
        except transcription.TranscriberMissingError as error:
            missing["notes"] = str(error)
            parts.remove("notes")
    say(f"loading {model}")
    with Player(model) as player:
        bundle = player.model.bundle
        result: dict[str, Any] = {"model": bundle.name, "version": bundle.version}
        result |= {"seeds": seeds, "quick": quick}
        try:
            stages = CodecStages(bundle)
        except NoStagesError as error:
            stages = None
            missing["codec"] = str(error)
        if "style" in parts and not player.has_styles:
            missing["style"] = f"The model {bundle.name!r} has no styles to grade."
            parts.remove("style")
        if "notes" in parts:
            result["notes"] = notes.grade(player, stages, seeds, quick, folder, say)
        if "style" in parts:
            result["style"] = style.grade(player, quick, folder, say)
        if "codec" in parts and stages is not None:
            result["codec"] = codec.grade(stages, quick, folder, say)
        if "stream" in parts:
            result["stream"] = stream.grade(player, seeds[0], quick, folder, say)
        if "latency" in parts:
            result["latency"] = latency.grade(player, quick, say)
    result["missing"] = missing
    result["verdicts"] = verdicts.of(result)
    return as_json(result)


def as_json(value: Any) -> Any:
    """The same with None for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {str(key): as_json(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
