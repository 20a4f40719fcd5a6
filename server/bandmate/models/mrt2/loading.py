# SPDX-License-Identifier: GPL-3.0-or-later
"""From official files to a model."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import mlx.core as mx

from bandmate.models.bundle import Bundle, BundleError, ConditioningSpec, DepthformerSpec
from bandmate.models.depthformer import weights
from bandmate.models.depthformer.checkpoint import checked_tensors, load_tensors
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.language_model import CodecLanguageModel
from bandmate.models.mrt2.clip_encoder import SpectroStreamClipEncoder
from bandmate.models.mrt2.codec import SpectroStreamCodec
from bandmate.models.mrt2.files import find_checkpoint, find_encoder, official_files
from bandmate.models.mrt2.fused import separated
from bandmate.models.mrt2.random_weights import random_tensors
from bandmate.models.mrt2.spectrostream import cpu
from bandmate.models.mrt2.spectrostream.decoder import Decoder
from bandmate.models.mrt2.spectrostream.encoder import Encoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer
from bandmate.models.mrt2.spectrostream.spec import (
    SpectroStreamSpec,
    decoder_shapes,
    encoder_shapes,
)

CODEC_PREFIX = "params/soundstream/"
DECODER_PREFIX = CODEC_PREFIX + "decoder/"
QUANTIZER_KEY = CODEC_PREFIX + "quantizer/embedding"
ENCODER_PREFIX = "params/encoder/"
# Files of a part alone name their tensors without the codec's own level.
_PART_PREFIX = "params/"

Tensors = MutableMapping[str, mx.array]


def checkpoint_shapes(
    depthformer: DepthformerSpec, conditioning: ConditioningSpec, codec: SpectroStreamSpec
) -> weights.Shapes:
    """Every tensor of a whole checkpoint: name -> shape."""
    out = weights.shapes(depthformer, conditioning)
    out |= {DECODER_PREFIX + name: shape for name, shape in decoder_shapes(codec).items()}
    out[QUANTIZER_KEY] = quantizer_shape(codec)
    return out


def quantizer_shape(codec: SpectroStreamSpec) -> tuple[int, int, int]:
    """Levels, codes and width of the residual codebooks."""
    return (codec.quantizers, codec.codebook_size, codec.embedding)


def load_checkpoint(
    path: Path,
    depthformer: DepthformerSpec,
    conditioning: ConditioningSpec,
    codec: SpectroStreamSpec,
    codec_folder: Path | None = None,
) -> dict[str, mx.array]:
    """The checked tensors of a checkpoint, not yet read from disk.

    Args:
        path: the checkpoint. It may lack the codec.
        codec_folder: where `decoder.safetensors` and `quantizer.safetensors` then are.

    Raises:
        BundleError: a file cannot be read, or a tensor is missing, extra or misshapen.
    """
    tensors = separated(load_tensors(path))
    source = str(path)
    if codec_folder is not None and not any(name.startswith(CODEC_PREFIX) for name in tensors):
        for part in ("decoder", "quantizer"):
            file = codec_folder / f"{part}.safetensors"
            for name, tensor in load_tensors(file).items():
                tensors[CODEC_PREFIX + name.removeprefix(_PART_PREFIX)] = tensor
            source += f" with {file.name}"
    return checked_tensors(tensors, checkpoint_shapes(depthformer, conditioning, codec), source)


def load_encoder(path: Path, codec: SpectroStreamSpec) -> Encoder:
    """SpectroStream's encoder from its own file. Raises BundleError as `load_checkpoint`."""
    wanted = {ENCODER_PREFIX + name: shape for name, shape in encoder_shapes(codec).items()}
    tensors = checked_tensors(load_tensors(path), wanted, str(path))
    return Encoder(codec, below(tensors, ENCODER_PREFIX))


def below(tensors: Tensors, prefix: str) -> dict[str, mx.array]:
    """The tensors whose names start with `prefix`, named without it; taken out of `tensors`."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}


def build_codec(tensors: Tensors, codec: SpectroStreamSpec, gain: float) -> SpectroStreamCodec:
    """The codec out of a whole checkpoint's tensors, which are taken out of it."""
    kind = cpu.NativeDecoder if cpu.usable() else Decoder
    decoder = kind(codec, below(tensors, DECODER_PREFIX))
    return SpectroStreamCodec(Quantizer(tensors.pop(QUANTIZER_KEY)), decoder, gain)


def codec_spec(raw: dict[str, Any], sample_rate: int, source: str) -> SpectroStreamSpec:
    """The bundle's `codec` object without its gain.

    Raises:
        BundleError: a size is missing or unknown.
    """
    values = {key: value for key, value in raw.items() if key != "gain"}
    values["ratios"] = tuple(tuple(ratio) for ratio in values.get("ratios", ()))
    values["multipliers"] = tuple(values.get("multipliers", ()))
    try:
        return SpectroStreamSpec(sample_rate=sample_rate, **values)
    except TypeError as error:
        raise BundleError(f"{source}: 'codec' is not complete: {error}.") from error


def load(
    bundle: Bundle,
    form: WeightFormat | None = None,
    *,
    random: bool = False,
) -> CodecLanguageModel:
    """Loads a bundle of this family.

    Args:
        form: how the language model's weights are held; None is float32. The codec is float32.
        random: make random weights up instead of reading a checkpoint.

    Raises:
        BundleError: the files are missing, or do not fit the bundle's sizes.
    """
    if bundle.depthformer is None or bundle.conditioning is None:
        raise BundleError(f"{bundle.path}: 'depthformer' or 'conditioning' is missing.")
    codec = codec_spec(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
    if random:
        wanted = checkpoint_shapes(bundle.depthformer, bundle.conditioning, codec)
        tensors = random_tensors(wanted)
    else:
        folder = official_files().codec("decoder").parent
        path = find_checkpoint(bundle)
        tensors = load_checkpoint(path, bundle.depthformer, bundle.conditioning, codec, folder)
    built = build_codec(tensors, codec, float(bundle.codec.get("gain", 1.0)))
    depthformer = Depthformer(bundle.depthformer, bundle.conditioning, tensors, form)

    def load_clip_encoder() -> SpectroStreamClipEncoder:
        encoder = load_encoder(find_encoder(bundle), codec)
        levels = depthformer.spec.codebooks
        return SpectroStreamClipEncoder(encoder, built.quantizer, levels, bundle.frame)

    return CodecLanguageModel(
        bundle.frame,
        depthformer,
        built,
        load_encoder=load_clip_encoder,
    )
