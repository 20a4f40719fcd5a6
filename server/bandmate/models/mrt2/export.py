# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a model as an exported MLX function and the state it starts from."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.depthformer.vocabulary import MASK, RESERVED, ConditioningLayout
from bandmate.models.mrt2 import loading
from bandmate.models.mrt2.codec import SpectroStreamCodec
from bandmate.models.mrt2.exported_files import state_beside
from bandmate.models.mrt2.files import find_checkpoint, official_files
from bandmate.models.mrt2.frame_function import FrameFunction
from bandmate.models.mrt2.spectrostream.decoder import Decoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer


def export_model(bundle: Bundle, path: Path, precision: str) -> Path:
    """Writes `path` (.mlxfn) and, beside it, the state.

    Args:
        precision: one of EXPORT_PRECISIONS.

    Returns:
        The state's path.

    Raises:
        BundleError: the model's files are missing or do not fit, or the files cannot be written.
    """
    function = FrameFunction(*load_parts(bundle, WeightFormat.named(precision)))
    state = function.initial_state()
    mx.eval(state)
    state_path = state_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What MLX fuses while it runs cannot be written into a file.
        mx.disable_compile()
        with mx.exporter(str(path), function) as exporter:
            for forced_frames in (0, 1):
                exporter(*example_controls(bundle, forced_frames), *state)
        mx.save_safetensors(str(state_path), {f"state_{i}": a for i, a in enumerate(state)})
    except (OSError, RuntimeError, ValueError) as error:
        for file in (path, state_path):
            file.unlink(missing_ok=True)  # half a file would only fail later
        raise BundleError(f"{path} cannot be written ({error}).") from error
    finally:
        mx.enable_compile()
    return state_path


def load_parts(bundle: Bundle, form: WeightFormat) -> tuple[Depthformer, SpectroStreamCodec]:
    """The language model, and the codec with its state as exported models keep it.

    Raises:
        BundleError: the files are missing, or do not fit the bundle's sizes.
    """
    if bundle.depthformer is None or bundle.conditioning is None:
        raise BundleError(f"{bundle.path}: 'depthformer' or 'conditioning' is missing.")
    spec = loading.codec_spec(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
    tensors = loading.load_checkpoint(
        find_checkpoint(bundle),
        bundle.depthformer,
        bundle.conditioning,
        spec,
        official_files().codec("decoder").parent,
    )
    decoder = Decoder(spec, loading.below(tensors, loading.DECODER_PREFIX), overlap_add=True)
    quantizer = Quantizer(tensors.pop(loading.QUANTIZER_KEY))
    codec = SpectroStreamCodec(quantizer, decoder, float(bundle.codec.get("gain", 1.0)))
    return Depthformer(bundle.depthformer, bundle.conditioning, tensors, form), codec


def example_controls(bundle: Bundle, forced_frames: int) -> list[mx.array]:
    """Inputs before the state, of the right shapes and types, with all conditioning masked."""
    assert bundle.conditioning is not None
    assert bundle.depthformer is not None
    channels = ConditioningLayout(bundle.conditioning).channels - len(bundle.conditioning.guidance)
    masked = mx.full((1, 1, channels), MASK, mx.int32)
    scale = mx.ones((1,))
    forced = mx.full((1, forced_frames, bundle.depthformer.codebooks), RESERVED, mx.int32)
    top_k = mx.ones((1,), mx.int32)
    return [masked, scale, top_k, *[scale] * 3, masked, masked, forced]
