#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a checkpoint with random weights in the official layout, for tests of size and speed.

    scripts/random_checkpoint.py mrt2_small FOLDER

makes FOLDER/magenta-rt-v2/checkpoints/mrt2_small.safetensors and the codec encoder's file. With
MAGENTA_HOME=FOLDER, Bandmate finds them as it finds the real ones. What it plays is noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mlx.core as mx

from bandmate.models.mrt2.files import FOLDER, OfficialFiles
from bandmate.models.mrt2.loading import ENCODER_PREFIX, checkpoint_shapes, codec_spec
from bandmate.models.mrt2.random_weights import random_tensors
from bandmate.models.mrt2.spectrostream.spec import encoder_shapes
from bandmate.models.registry import find_bundle


def write(path: Path, shapes: dict[str, tuple[int, ...]], seed: int, dtype: mx.Dtype) -> None:
    """Writes random tensors of these shapes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.astype(dtype) for name, value in random_tensors(shapes, seed).items()}
    mx.save_safetensors(str(path), tensors)
    print(f"{path}: {len(shapes)} tensors, {path.stat().st_size / 2**20:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=("mrt2_small", "mrt2_base"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="bfloat16")
    arguments = parser.parse_args()
    bundle = find_bundle(arguments.model)
    assert bundle.depthformer is not None
    assert bundle.conditioning is not None
    codec = codec_spec(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
    files = OfficialFiles(arguments.folder / FOLDER)
    dtype = getattr(mx, arguments.dtype)
    shapes = checkpoint_shapes(bundle.depthformer, bundle.conditioning, codec)
    write(files.checkpoint(arguments.model), shapes, arguments.seed, dtype)
    encoder = {ENCODER_PREFIX + name: shape for name, shape in encoder_shapes(codec).items()}
    write(files.codec("encoder"), encoder, arguments.seed + 1, dtype)


if __name__ == "__main__":
    main()
