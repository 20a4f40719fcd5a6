# SPDX-License-Identifier: GPL-3.0-or-later
"""Official files at a reduced size: found, read, refused, played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)
from support.official import PARITY_DATA, write_tiny_bundle  # noqa: E402

from bandmate.engine.budget import example_controls  # noqa: E402
from bandmate.models.bundle import BundleError, load_bundle  # noqa: E402
from bandmate.models.depthformer.linear import WeightFormat  # noqa: E402
from bandmate.models.mrt2 import loading  # noqa: E402
from bandmate.models.mrt2.files import FOLDER, OfficialFiles  # noqa: E402
from bandmate.models.registry import load_model  # noqa: E402

KEY = "params/depthformer/decoder/temporal_body/transformer/x_layers_0/self_attention/attention/"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A bundle without weights, described by the parity vectors' sizes."""
    return write_tiny_bundle(tmp_path)


@pytest.fixture
def home(tmp_path, monkeypatch) -> OfficialFiles:
    """An empty MAGENTA_HOME."""
    monkeypatch.setenv("MAGENTA_HOME", str(tmp_path / "magenta"))
    files = OfficialFiles(tmp_path / "magenta" / FOLDER)
    files.checkpoint("tiny").parent.mkdir(parents=True)
    files.codec("decoder").parent.mkdir(parents=True)
    return files


def tensors() -> dict[str, mx.array]:
    return dict(mx.load(str(PARITY_DATA / "checkpoint.safetensors")))


def save(path: Path, arrays: dict[str, mx.array]) -> None:
    mx.save_safetensors(str(path), arrays)


def play(folder: Path, frames: int = 4) -> np.ndarray:
    bundle = load_bundle(folder)
    model, _ = load_model(bundle)
    state, out = model.init_state(), []
    for index in range(frames):
        (audio,), (state,) = model.step([example_controls(bundle, index)], [state])
        out.append(audio)
    return np.stack(out)


def test_checkpoint_is_found_and_plays(folder, home):
    save(home.checkpoint("tiny"), tensors())
    audio = play(folder)
    assert audio.shape == (4, 1920, 2)
    assert (audio[0] == 0).all()  # the codec is one frame late
    assert np.abs(audio[1:]).max() > 0
    assert (audio == play(folder)).all()


def test_missing_checkpoint_says_how_to_get_it(folder, home):
    with pytest.raises(BundleError, match=r"weights of tiny are not here .* download"):
        load_model(load_bundle(folder))


def test_separate_codec_files_play_the_same(folder, home):
    whole = tensors()
    save(home.checkpoint("tiny"), whole)
    expected = play(folder)
    codec = {name: value for name, value in whole.items() if name.startswith("params/soundstream/")}
    save(home.checkpoint("tiny"), {n: v for n, v in whole.items() if n not in codec})
    for part in ("decoder", "quantizer"):
        prefix = f"params/soundstream/{part}/"
        own = {
            f"params/{part}/{n.removeprefix(prefix)}": v for n, v in codec.items() if prefix in n
        }
        save(home.codec(part), own)
    assert (play(folder) == expected).all()


def test_fused_projections_play_the_same(folder, home):
    whole = tensors()
    save(home.checkpoint("tiny"), whole)
    expected = play(folder)
    parts = [whole.pop(f"{KEY}{part}_projection/kernel") for part in ("query", "key", "value")]
    whole[KEY + "query_key_value_projection/kernel"] = mx.stack(parts, axis=1)
    save(home.checkpoint("tiny"), whole)
    assert (play(folder) == expected).all()


def test_bfloat16_file_plays(folder, home):
    save(home.checkpoint("tiny"), {n: v.astype(mx.bfloat16) for n, v in tensors().items()})
    assert np.abs(play(folder)[1:]).max() > 0


@pytest.mark.parametrize("bits", [0, 8, 4])
def test_other_precisions_play(folder, home, bits):
    save(home.checkpoint("tiny"), tensors())
    bundle = load_bundle(folder)
    model = loading.load(bundle, WeightFormat(mx.bfloat16, bits))
    (audio,), (state,) = model.step([example_controls(bundle, 0)], [model.init_state()])
    (audio,), _ = model.step([example_controls(bundle, 1)], [state])
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() > 0


def test_misshapen_tensor_is_named_with_both_shapes(folder, home):
    whole = tensors()
    whole[KEY + "per_dim_scale"] = mx.zeros(5)
    save(home.checkpoint("tiny"), whole)
    with pytest.raises(BundleError, match=r"per_dim_scale' has shape \[5\], wanted \[32\]"):
        load_model(load_bundle(folder))


def test_missing_tensor_is_named(folder, home):
    whole = tensors()
    del whole[KEY + "per_dim_scale"]
    save(home.checkpoint("tiny"), whole)
    with pytest.raises(BundleError, match="per_dim_scale' is missing"):
        load_model(load_bundle(folder))


@pytest.mark.parametrize(
    ("name", "elements"), [("mrt2_small", 282_194_376), ("mrt2_base", 2_459_163_592)]
)
def test_official_sizes(name, elements):
    bundles = Path(loading.__file__).parents[2] / "bundles"
    bundle = load_bundle(bundles / name)
    codec = loading.codec_spec(bundle.codec, bundle.frame.sample_rate, name)
    shapes = loading.checkpoint_shapes(bundle.depthformer, bundle.conditioning, codec)
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == elements
    assert codec.frame_samples == bundle.frame.frame_samples
    assert codec.lookahead_frames * codec.frame_samples == bundle.frame.delay_samples
