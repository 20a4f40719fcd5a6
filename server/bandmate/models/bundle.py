# SPDX-License-Identifier: GPL-3.0-or-later
"""Model bundles: a folder with `bundle.json` and safetensors weights.

The JSON holds every size and fact of a model; code holds none. A bundle is read and checked here,
its weights are loaded by its family (`pico`, `mrt2`, `testtone`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandmate.errors import BandmateError
from bandmate.models.interface import NOTE_ONSET_PHASE_0, FrameSpec
from bandmate.models.note_history import NoteHistory

FORMAT = 1
FILE_NAME = "bundle.json"
FAMILIES = ("pico", "mrt2", "testtone")
PRECISIONS = ("float32", "bfloat16", "int8", "int4")  # forms of weights, finest first
AUTO_PRECISION = "auto"
EXPORT_PRECISIONS = PRECISIONS[1:]  # activations, and so the state, are bfloat16 in all


class BundleError(BandmateError):
    """A bundle that cannot be used. The message says what is wrong and what to do."""


@dataclass(frozen=True)
class GuidanceScale:
    """How a guidance scale becomes a token: round((clamp(v, low, high) - low) / step)."""

    name: str
    low: float
    high: float
    step: float


@dataclass(frozen=True)
class ConditioningSpec:
    """Channels of one frame's conditioning, in order: style levels, 128 pitches, drums, guidance.

    Attributes:
        style_levels: style codes per frame.
        style_codes: values of each style code.
        onset_phases: parts of a frame an onset may name (0: only that it is in the frame).
        guidance: one entry per guidance channel.
        velocity_levels: how hard a note may be struck; told together with the onset's phase.
        held_ages, released_ages, history_levels: what is told of a note after its onset, see
            `note_history.NoteHistory`. The official models are told that it sounds, or nothing.
    """

    style_levels: int
    style_codes: int
    onset_phases: int
    guidance: tuple[GuidanceScale, ...]
    velocity_levels: int = 1
    held_ages: int = 0
    released_ages: int = 0
    history_levels: int = 1

    @property
    def note_values(self) -> int:
        """Raw values 0.. of a pitch channel (masked not counted)."""
        return self.note_history.first + self.note_history.count

    @property
    def note_history(self) -> NoteHistory:
        """The values after those of onsets."""
        first = NOTE_ONSET_PHASE_0 + self.onset_phases * self.velocity_levels
        return NoteHistory(first, self.held_ages, self.released_ages, self.history_levels)


@dataclass(frozen=True)
class TransformerSpec:
    """Sizes of one transformer stack. Horizons count past frames beside the current one."""

    layers: int
    width: int
    ffn: int
    heads: int
    head_dim: int
    past: int
    cross_past: int = 0


@dataclass(frozen=True)
class DepthformerSpec:
    """Sizes of the language model (see docs/model.md).

    Attributes:
        soft_cap: logits are squeezed into +- this.
        depth_past: the depth decoder sees, beside the code before, its own codebook's code of the
            frame before. The official models have no such input.
        forgets: where all notes are told, and where one begins or ends, the model is not told its
            last codes (see docs/model.md).
        expects: a code is picked near the mean of what the model expects to hear, not because it
            is the likeliest. Needs a codec whose codes are vectors.
        hold: with `expects`, how much farther from that mean than the nearest code (squared) the
            last frame's code may be and still be kept: where a note begins or ends, elsewhere.
        rise: with `expects`, dB. Where all notes are told and none begins or ends, a code may be
            louder than the last frame's only as far as that mean is louder by more than this.
    """

    encoder_width: int
    style_embedding_width: int
    codebooks: int
    codebook_size: int
    temporal: TransformerSpec
    depth: TransformerSpec
    soft_cap: float = 30.0
    depth_past: bool = False
    forgets: bool = False
    expects: bool = False
    hold: tuple[float, float] = (1.0, 1.0)
    rise: float | None = None


@dataclass(frozen=True)
class Defaults:
    """What a new session starts from when the user has chosen nothing."""

    temperature: float = 0.1
    top_k: int = 40
    guidance: tuple[float, float, float] = (3.0, 1.0, 1.0)


@dataclass(frozen=True)
class Bundle:
    """A checked bundle description. `precision` is one of PRECISIONS, or "auto" to measure."""

    path: Path
    name: str
    family: str
    version: str
    description: str
    licence: str
    frame: FrameSpec
    defaults: Defaults
    weights: dict[str, Path]
    conditioning: ConditioningSpec | None = None
    depthformer: DepthformerSpec | None = None
    codec: dict[str, Any] = field(default_factory=dict)
    styles: dict[str, Any] = field(default_factory=dict)
    precision: str = AUTO_PRECISION


def _section(cls: type, raw: Any, where: str, path: Path) -> Any:
    """Builds a dataclass from a JSON object, naming the key that does not fit."""
    if not isinstance(raw, dict):
        raise BundleError(f"{path}: '{where}' must be an object. Get the bundle again.")
    known = cls.__dataclass_fields__
    values = {}
    for key, value in raw.items():
        if key not in known:
            raise BundleError(
                f"{path}: unknown key '{where}.{key}'. Is the bundle newer than Bandmate?"
            )
        wants_number = known[key].type in ("int", "float")
        if wants_number and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise BundleError(f"{path}: '{where}.{key}' must be a number, not {value!r}.")
        values[key] = tuple(value) if isinstance(value, list) else value
    try:
        return cls(**values)
    except TypeError as error:
        raise BundleError(f"{path}: '{where}' is incomplete: {error}.") from error


def load_bundle(folder: Path) -> Bundle:
    """Reads and checks `folder/bundle.json`.

    Raises:
        BundleError: the folder or file is missing, is not JSON, or does not describe a model this
            version knows; also when a weight file it names is not there.
    """
    path = folder / FILE_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{path} is missing: not a model bundle. See `bandmate doctor`."
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} cannot be read ({error}). Get the bundle again.") from error
    if not isinstance(raw, dict):
        raise BundleError(f"{path} must hold one JSON object. Get the bundle again.")
    if raw.get("format") != FORMAT:
        raise BundleError(
            f"{path} has format {raw.get('format')!r}, this Bandmate reads {FORMAT}. "
            "Update one of the two."
        )
    try:
        family, name, frame = raw["family"], raw["name"], raw["frame"]
    except KeyError as error:
        raise BundleError(f"{path}: key {error} is missing. Get the bundle again.") from error
    if family not in FAMILIES:
        raise BundleError(f"{path}: unknown family {family!r}; known are {', '.join(FAMILIES)}.")
    spec = _section(FrameSpec, frame, "frame", path)
    if min(spec.sample_rate, spec.frame_samples, spec.channels) < 1 or spec.delay_samples < 0:
        raise BundleError(f"{path}: 'frame' holds a size below 1. Get the bundle again.")
    weights = {}
    for key, file in raw.get("weights", {}).items():
        if not isinstance(file, str) or Path(file).name != file:
            raise BundleError(f"{path}: weights.{key} must be a file name inside the bundle.")
        weights[key] = folder / file
        if not weights[key].is_file():
            raise BundleError(f"{weights[key]} is missing. Get the bundle again.")
    precision = raw.get("precision", AUTO_PRECISION)
    if precision not in (AUTO_PRECISION, *PRECISIONS):
        raise BundleError(
            f"{path}: unknown precision {precision!r}; known are "
            f"{', '.join((AUTO_PRECISION, *PRECISIONS))}."
        )
    return Bundle(
        path=folder,
        name=str(name),
        family=family,
        version=str(raw.get("version", "0")),
        description=str(raw.get("description", "")),
        licence=str(raw.get("licence", "")),
        frame=spec,
        defaults=_section(Defaults, raw.get("defaults", {}), "defaults", path),
        weights=weights,
        conditioning=_conditioning(raw["conditioning"], path) if "conditioning" in raw else None,
        depthformer=_depthformer(raw["depthformer"], path) if "depthformer" in raw else None,
        codec=dict(raw.get("codec", {})),
        styles=dict(raw.get("styles", {})),
        precision=precision,
    )


def _conditioning(raw: dict[str, Any], path: Path) -> ConditioningSpec:
    raw = dict(raw)
    raw["guidance"] = [
        _section(GuidanceScale, scale, "conditioning.guidance", path)
        for scale in raw.get("guidance", [])
    ]
    return _section(ConditioningSpec, raw, "conditioning", path)


def _depthformer(raw: dict[str, Any], path: Path) -> DepthformerSpec:
    raw = dict(raw)
    for part in ("temporal", "depth"):
        raw[part] = _section(TransformerSpec, raw.get(part), f"depthformer.{part}", path)
    return _section(DepthformerSpec, raw, "depthformer", path)
