# SPDX-License-Identifier: GPL-3.0-or-later
"""The form weights are held in: asked for, measured, remembered; and what loading costs."""

from __future__ import annotations

import gc
import json
from dataclasses import asdict, replace
from math import prod
from pathlib import Path

import pytest
from click.testing import CliRunner

from bandmate.cli.main import cli
from bandmate.engine import blas, budget, precision

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.engine.engine import Engine  # noqa: E402
from bandmate.engine.loading import Measure  # noqa: E402
from bandmate.models.bundle import Bundle, BundleError, load_bundle  # noqa: E402
from bandmate.models.depthformer.linear import WeightFormat  # noqa: E402
from bandmate.models.mrt2 import loading  # noqa: E402
from bandmate.models.mrt2.random_weights import random_tensors  # noqa: E402
from bandmate.models.mrt2.spectrostream.cpu import NativeDecoder  # noqa: E402
from bandmate.models.mrt2.spectrostream.spec import decoder_shapes  # noqa: E402
from bandmate.parity.config import ParityConfig, read_config  # noqa: E402

CONFIG = read_config(Path(__file__).parent.parent / "parity" / "data")
LARGEST_PEAK = 1.3  # times the weights as they are then held


def official_bundle(tmp_path: Path, config: ParityConfig, dtype: mx.Dtype = mx.float32) -> Bundle:
    """A bundle of the official models' family with a random checkpoint of these sizes."""
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    codec = asdict(config.codec)
    del codec["sample_rate"]
    frame = {"sample_rate": 48000, "frame_samples": 1920, "channels": 2, "delay_samples": 1920}
    description = {
        "format": 1,
        "name": "tiny",
        "family": "mrt2",
        "frame": frame,
        "weights": {"checkpoint": "tiny.safetensors"},
        "conditioning": asdict(config.conditioning),
        "depthformer": asdict(config.depthformer),
        "codec": {**codec, "gain": 0.5},
    }
    (folder / "bundle.json").write_text(json.dumps(description))
    shapes = loading.checkpoint_shapes(config.depthformer, config.conditioning, config.codec)
    tensors = {name: t.astype(dtype) for name, t in random_tensors(shapes).items()}
    mx.save_safetensors(str(folder / "tiny.safetensors"), tensors)
    return load_bundle(folder)


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Bundle:
    monkeypatch.setenv("BANDMATE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BANDMATE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("MAGENTA_HOME", str(tmp_path / "magenta"))
    monkeypatch.delenv("BANDMATE_PRECISION", raising=False)
    return official_bundle(tmp_path, CONFIG)


def loaded_precision(option: str | None = None) -> str:
    with Engine(measure=Measure.NEVER, precision=option) as engine:
        return engine.load("tiny").result().precision


def test_option_comes_before_environment_before_bundle(bundle, monkeypatch):
    held = replace(bundle, precision="int4")
    assert precision.wanted(bundle) == "auto"
    assert precision.wanted(held) == "int4"
    monkeypatch.setenv("BANDMATE_PRECISION", "int8")
    assert precision.wanted(held) == "int8"
    assert precision.wanted(held, "bfloat16") == "bfloat16"


def test_unknown_precision_is_refused(bundle, monkeypatch):
    monkeypatch.setenv("BANDMATE_PRECISION", "int3")
    with pytest.raises(precision.PrecisionError, match=r"'int3'.*auto, float32, bfloat16"):
        loaded_precision()
    description = json.loads((bundle.path / "bundle.json").read_text())
    (bundle.path / "bundle.json").write_text(json.dumps({**description, "precision": "double"}))
    with pytest.raises(BundleError, match="'double'"):
        load_bundle(bundle.path)


def test_finer_form_is_kept_unless_the_coarser_one_is_clearly_quicker():
    assert precision.best({"float32": 10.0, "bfloat16": 9.8}) == "float32"
    assert precision.best({"float32": 10.0, "bfloat16": 6.0}) == "bfloat16"


def test_auto_measures_once_and_remembers_beside_the_budget(bundle):
    budget.store(bundle, 12.0)
    chosen = loaded_precision()
    entry = budget.stored_entry(bundle)
    assert entry is not None
    measured = entry["precision"]["frame_ms"]
    assert list(measured) == list(precision.candidates(bundle))
    assert chosen == entry["precision"]["chosen"] == precision.best(measured)
    assert entry["budget_ms"] == 12.0
    # The other one, had it been remembered, would be used without measuring.
    other = next(name for name in measured if name != chosen)
    budget.store(bundle, None, precision={**entry["precision"], "chosen": other})
    assert loaded_precision() == other
    budget.store(bundle, 30.0)
    assert budget.stored_entry(bundle)["precision"]["chosen"] == other


def test_what_another_device_liked_is_measured_again(bundle):
    memory = {"chosen": "int4", "frame_ms": {"int4": 1.0}}
    budget.store(bundle, None, precision=memory)
    assert loaded_precision() in precision.candidates(bundle)
    assert budget.stored_entry(bundle)["precision"] != memory


@pytest.mark.parametrize("name", ["float32", "bfloat16", "int8", "int4"])
def test_benchmark_takes_every_precision(bundle, name):
    arguments = ["bench", "model", "--model", "tiny", "--frames", "2", "--no-reference", "--json"]
    done = CliRunner().invoke(cli, [*arguments, "--precision", name], catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["precision"] == name


def test_a_reference_that_fails_costs_nothing_of_ours(bundle, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 0\necho "it is broken" >&2\nexit 1\n')
    python.chmod(0o755)
    arguments = ["bench", "model", "--model", "tiny", "--frames", "2", "--precision", "float32"]
    reference = ["--reference-python", str(python), "--json"]
    done = CliRunner().invoke(cli, [*arguments, *reference], catch_exceptions=False)
    assert done.exit_code == 0
    assert "cannot be timed: it is broken" in done.stderr
    printed = json.loads(done.stdout)
    assert printed["frame_ms"]["p50"] > 0
    assert "reference" not in printed


@pytest.mark.parametrize("stored", [mx.float32, mx.bfloat16])
@pytest.mark.parametrize("name", ["float32", "bfloat16", "int8", "int4"])
def test_loading_holds_little_more_than_the_weights(tmp_path, name, stored):
    wider = replace(CONFIG.depthformer.temporal, layers=8, width=256, ffn=1024)
    config = replace(CONFIG, depthformer=replace(CONFIG.depthformer, temporal=wider))
    bundle = official_bundle(tmp_path, config, stored)
    gc.collect()  # what earlier tests held must not be let go meanwhile
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = loading.load(bundle, WeightFormat.named(name))
    peak = mx.get_peak_memory() - before
    held = mx.get_active_memory() - before
    assert held > 0
    # The native codec's weights are no arrays of MLX: count them as held all the time.
    codec = 4 * sum(prod(shape) for shape in decoder_shapes(config.codec).values())
    outside = codec if isinstance(model.codec.decoder, NativeDecoder) else 0
    assert peak + outside < LARGEST_PEAK * (held + outside)
    assert model.spec.frame_samples == 1920
