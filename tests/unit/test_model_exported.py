# SPDX-License-Identifier: GPL-3.0-or-later
"""Exported functions: what we write is what we are, and what comes from elsewhere is checked."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bandmate.cli.main import cli
from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.engine import precision  # noqa: E402
from bandmate.engine.budget import example_controls  # noqa: E402
from bandmate.models.bundle import Bundle, BundleError, load_bundle  # noqa: E402
from bandmate.models.depthformer.linear import WeightFormat  # noqa: E402
from bandmate.models.depthformer.sampling import reference_key, reference_noise  # noqa: E402
from bandmate.models.interface import Resumable  # noqa: E402
from bandmate.models.mrt2 import loading  # noqa: E402
from bandmate.models.mrt2.codec import to_pcm16  # noqa: E402
from bandmate.models.mrt2.exported import load_exported  # noqa: E402
from bandmate.models.mrt2.files import FOLDER, OfficialFiles  # noqa: E402
from bandmate.models.mrt2.random_weights import random_tensors  # noqa: E402
from bandmate.models.registry import load_model  # noqa: E402
from bandmate.parity.config import read_config  # noqa: E402

DATA = Path(__file__).parent.parent / "parity" / "data"
CONFIG = read_config(DATA)
FRAMES = 20
FORCED = 3
SCALES = (3.0, 1.0, 1.0)
TEMPERATURE, TOP_K = 1.3, 8


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Bundle:
    """A tiny model with a random checkpoint where the official tools put theirs."""
    monkeypatch.setenv("BANDMATE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("MAGENTA_HOME", str(tmp_path / "magenta"))
    monkeypatch.delenv("BANDMATE_PRECISION", raising=False)
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    codec = asdict(CONFIG.codec)
    del codec["sample_rate"]
    frame = {"sample_rate": 48000, "frame_samples": 1920, "channels": 2, "delay_samples": 1920}
    description = {
        "format": 1,
        "name": "tiny",
        "family": "mrt2",
        "frame": frame,
        "conditioning": asdict(CONFIG.conditioning),
        "depthformer": asdict(CONFIG.depthformer),
        "codec": {**codec, "gain": 0.5},
    }
    (folder / "bundle.json").write_text(json.dumps(description))
    shapes = loading.checkpoint_shapes(CONFIG.depthformer, CONFIG.conditioning, CONFIG.codec)
    checkpoint = official(tmp_path).checkpoint("tiny")
    checkpoint.parent.mkdir(parents=True)
    mx.save_safetensors(str(checkpoint), random_tensors(shapes))
    return load_bundle(folder)


def official(tmp_path: Path) -> OfficialFiles:
    return OfficialFiles(tmp_path / "magenta" / FOLDER)


def export(files: OfficialFiles, form: str = "bfloat16") -> tuple[Path, Path]:
    """Exports `tiny` to where the official tools put exported models."""
    path = files.exported("tiny")
    arguments = ["models", "export", "tiny", str(path), "--precision", form]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path, files.exported_state("tiny")


def controls(bundle: Bundle, frame: int, seed: int = 0):
    held = example_controls(bundle, frame)
    notes = held.notes.copy()
    notes[60 + frame % 5] = 2
    return replace(
        held, notes=notes, guidance=SCALES, temperature=TEMPERATURE, top_k=TOP_K, seed=seed
    )


def play(model, bundle: Bundle, state, frames: range, seed: int = 0):
    out = []
    for frame in frames:
        (audio,), (state,) = model.step([controls(bundle, frame, seed)], [state])
        out.append(audio)
    return np.stack(out), state


def test_state_file_has_the_reference_layout(bundle, tmp_path):
    _, state = export(official(tmp_path))
    arrays = mx.load(str(state))
    expected = json.loads((DATA / "state_layout.json").read_text())["two_cfgs"]
    assert sorted(arrays) == sorted(f"state_{index}" for index in range(len(expected)))
    for index, (shape, dtype) in enumerate(expected):
        found = arrays[f"state_{index}"]
        assert (list(found.shape), str(found.dtype)) == (shape, f"mlx.core.{dtype}"), index


@pytest.mark.parametrize("form", ["bfloat16", "int8", "int4"])
def test_exported_frames_equal_ours(bundle, tmp_path, form):
    """Sampled ids and sound of 20 frames, the first of them forced, by the convention itself."""
    path, state_path = export(official(tmp_path), form)
    function = mx.import_function(str(path))
    arrays = mx.load(str(state_path))
    state = [arrays[f"state_{index}"] for index in range(len(arrays))]
    ours = loading.load(bundle, WeightFormat.named(form))
    model, codec = ours.depthformer, ours.codec
    language, decoded = model.init_state(3), codec.decoder.init_state(1)
    key, spec = reference_key(42), model.spec
    for frame in range(FRAMES):
        tokens = model.layout.tokens([controls(bundle, frame)])
        rows = mx.array(model.layout.negatives(tokens))
        forced_ids = np.arange(spec.codebooks)[None, None] * spec.codebook_size + 6 + frame
        forced = forced_ids if frame < FORCED else np.zeros((1, 0, spec.codebooks))
        conditioning = [rows[:, row : row + 1, :-3] for row in range(3)]
        settings = [mx.array([TEMPERATURE]), mx.array([TOP_K], mx.int32)]
        settings += [mx.array([scale]) for scale in SCALES]
        audio, *state = function(
            conditioning[0], *settings, *conditioning[1:], mx.array(forced, mx.int32), *state
        )
        if frame < FORCED:
            codes = mx.full((1, spec.codebooks), frame, mx.int32)
            language = model.forced_frame(rows, codes, language)
        else:
            noise, key = reference_noise(key, spec.codebooks, spec.codebook_size, model.vocabulary)
            scales = mx.array([SCALES[:2]])
            codes, language = model.frame(rows, noise, *settings[:2], scales, language)
        expected, decoded = codec.decoder(codec.quantizer.decode(codes)[:, None], decoded)
        pcm = to_pcm16(expected, codec.gain)
        assert np.array_equal(np.array(state[3])[0, 0], np.array(model.ids(codes))), frame
        assert np.array_equal(np.array(state[2])[0, 0], np.array(key))
        assert audio.dtype == mx.int16
        difference = np.array(audio).astype(int) - np.array(pcm).astype(int).swapaxes(1, 2)
        assert np.abs(difference).max() <= 1  # the overlaps are summed in another order


def test_exported_model_plays_by_the_engine_interface(bundle, tmp_path):
    files = official(tmp_path)
    export(files)
    assert precision.wanted(bundle) == "auto"
    files.checkpoint("tiny").unlink()
    with pytest.raises(StopIteration, match="exported"):
        next(precision.settle(bundle, "int4", lambda _: pytest.fail("nothing is to be measured")))
    model, _ = load_model(bundle)
    audio, after = play(model, bundle, model.init_state(), range(8))
    assert audio.shape == (8, 1920, 2)
    assert audio.dtype == np.float32
    assert 0 < np.abs(audio).max() <= 1
    assert not audio[0].any()  # the codec is one frame late
    again, _ = play(model, bundle, model.init_state(), range(8))
    other, _ = play(model, bundle, model.init_state(), range(8), seed=1)
    assert np.array_equal(audio, again)
    assert not np.array_equal(audio, other)
    # A state outlives the process that made it.
    assert isinstance(model, Resumable)
    kept = {name: value.copy() for name, value in model.state_arrays(after).items()}
    on, _ = play(model, bundle, after, range(8, 12))
    resumed, _ = play(model, bundle, model.state_from_arrays(kept), range(8, 12))
    assert np.array_equal(on, resumed)


def test_refused_function_is_one_line_with_a_way_out(bundle, tmp_path):
    path, state = export(official(tmp_path))
    path.write_bytes(b"not a function")
    with pytest.raises(BundleError, match=r"refuses.*bandmate models download tiny") as caught:
        load_exported(bundle, path, state)
    assert "\n" not in str(caught.value)


def test_function_of_another_convention_is_refused(bundle, tmp_path):
    path, state = export(official(tmp_path))
    mx.export_function(str(path), lambda x: x + 1, mx.zeros((1,)))
    with pytest.raises(BundleError, match="refuses"):
        load_exported(bundle, path, state)


def test_state_that_does_not_fit_is_named(bundle, tmp_path):
    path, state = export(official(tmp_path))
    arrays = dict(mx.load(str(state)))
    mx.eval(arrays)
    mx.save_safetensors(str(state), {**arrays, "state_5": mx.zeros((1, 2))})
    with pytest.raises(BundleError, match=r"state_5' has shape \[1, 2\], wanted \[1, 3, 5, 4, 32"):
        load_exported(bundle, path, state)
    del arrays["state_7"]
    mx.save_safetensors(str(state), arrays)
    with pytest.raises(BundleError, match="state_7' is missing"):
        load_exported(bundle, path, state)


def test_export_without_weights_says_how_to_get_them(bundle, tmp_path):
    official(tmp_path).checkpoint("tiny").unlink()
    done = CliRunner().invoke(cli, ["models", "export", "tiny", str(tmp_path / "out.mlxfn")])
    assert isinstance(done.exception, BundleError)
    assert "models download tiny" in str(done.exception)
    assert not (tmp_path / "out.mlxfn").exists()
