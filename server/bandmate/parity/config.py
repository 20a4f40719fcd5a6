# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of a parity folder's model, from its `config.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandmate.errors import BandmateError
from bandmate.models.bundle import (
    ConditioningSpec,
    DepthformerSpec,
    GuidanceScale,
    TransformerSpec,
)
from bandmate.models.depthformer.vocabulary import OFFSET, RESERVED
from bandmate.models.interface import NOTE_ONSET_PHASE_0
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec

FILE_NAME = "config.json"
SAMPLE_RATE = 48000
GUIDANCE_LOW, GUIDANCE_HIGH = -1.0, 7.0


class ParityError(BandmateError):
    """A folder that cannot be checked at all."""


@dataclass(frozen=True)
class ParityConfig:
    """Everything a folder says about its model."""

    depthformer: DepthformerSpec
    conditioning: ConditioningSpec
    codec: SpectroStreamSpec


def read_config(folder: Path) -> ParityConfig:
    """Reads `folder/config.json`.

    Raises:
        ParityError: it is missing, is not JSON or lacks a size.
    """
    path = folder / FILE_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return ParityConfig(_depthformer(raw), _conditioning(raw), _codec(raw["spectrostream"]))
    except OSError as error:
        raise ParityError(
            f"{path} cannot be read ({error.strerror}). Name a folder of parity vectors."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ParityError(f"{path} does not describe a model ({error!r}).") from error


def _conditioning(raw: dict[str, Any]) -> ConditioningSpec:
    coarse = _guidance_step(raw["cfg_drums"]["vocab"])
    fine = _guidance_step(raw["cfg_musiccoca_notes"]["vocab"])
    steps = {"style": fine, "notes": fine, "drums": coarse}
    return ConditioningSpec(
        style_levels=raw["musiccoca"]["levels"],
        style_codes=raw["musiccoca"]["codebook_size"],
        onset_phases=raw["pianoroll"]["vocab"] - OFFSET - NOTE_ONSET_PHASE_0,
        guidance=tuple(
            GuidanceScale(name, GUIDANCE_LOW, GUIDANCE_HIGH, step) for name, step in steps.items()
        ),
    )


def _guidance_step(vocabulary: int) -> float:
    return (GUIDANCE_HIGH - GUIDANCE_LOW) / (vocabulary - RESERVED - 1)


def _depthformer(raw: dict[str, Any]) -> DepthformerSpec:
    temporal, depth, target = raw["temporal"], raw["depth"], raw["target"]
    if temporal["sinks"] != 1 or target["reserved"] != RESERVED:
        raise ValueError("one sink and six reserved ids are what this model has")
    return DepthformerSpec(
        encoder_width=raw["encoder_dim"],
        style_embedding_width=raw["musiccoca"]["embedding_size"],
        codebooks=target["levels"],
        codebook_size=target["codebook_size"],
        temporal=_stack(
            temporal, temporal["self_attention_past"], temporal["cross_attention_past"]
        ),
        depth=_stack(depth, target["levels"] - 1, 0),
        soft_cap=depth["soft_cap"],
    )


def _stack(raw: dict[str, Any], past: int, cross_past: int) -> TransformerSpec:
    return TransformerSpec(
        layers=raw["layers"],
        width=raw["dim"],
        ffn=raw["ffn"],
        heads=raw["heads"],
        head_dim=raw["head_dim"],
        past=past,
        cross_past=cross_past,
    )


def _codec(raw: dict[str, Any]) -> SpectroStreamSpec:
    return SpectroStreamSpec(
        sample_rate=SAMPLE_RATE,
        stft_window=raw["stft_frame_length"],
        stft_hop=raw["stft_frame_step"],
        audio_channels=raw["num_channels"] // 2,
        embedding=raw["num_features"],
        ratios=tuple((ratio[0], ratio[1]) for ratio in raw["ratios"]),
        multipliers=tuple(raw["mults"]),
        encoder_depth=raw["encoder_base_depth"],
        decoder_depth=raw["decoder_base_depth"],
        base_kernel=raw["base_kernel"],
        lookahead_frames=raw["decoder_lookahead_frames"],
        quantizers=raw["num_quantizers"],
        codebook_size=raw["codebook_size"],
    )
