# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a bundle of the `pico` family."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.depthformer import weights
from bandmate.models.depthformer.checkpoint import checked_tensors, load_tensors
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.language_model import CodecLanguageModel
from bandmate.models.pico.clip_encoder import MagnitudeClipEncoder
from bandmate.models.pico.codec import MagnitudeCodec
from bandmate.models.pico.style import PicoStyleEncoder


def load(bundle: Bundle, precision: str) -> tuple[CodecLanguageModel, PicoStyleEncoder]:
    """The model and its style encoder. Any thread; the inference thread then owns the model.

    Raises:
        BundleError: a section or file is missing, or a tensor does not fit the description.
    """
    spec, conditioning = bundle.depthformer, bundle.conditioning
    if spec is None or conditioning is None or "model" not in bundle.weights:
        raise BundleError(
            f"{bundle.path}: a pico bundle needs 'depthformer', 'conditioning' and "
            "'weights.model'. Get the bundle again."
        )
    path = bundle.weights["model"]
    tensors = checked_tensors(load_tensors(path), weights.shapes(spec, conditioning), str(path))
    codec, style = MagnitudeCodec.load(bundle), PicoStyleEncoder.load(bundle)
    values = mx.array(codec.code_values()) if spec.expects else None
    levels = mx.array(codec.code_levels()) if spec.expects else None
    form = WeightFormat.named(precision)
    depthformer = Depthformer(spec, conditioning, tensors, form, values, levels)
    load_encoder = partial(MagnitudeClipEncoder, codec, bundle.frame)
    return CodecLanguageModel(bundle.frame, depthformer, codec, load_encoder=load_encoder), style
