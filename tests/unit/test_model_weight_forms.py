# SPDX-License-Identifier: GPL-3.0-or-later
"""The native runner against MLX's float32 arithmetic, for every form that weights are held in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.models.bundle import (  # noqa: E402
    ConditioningSpec,
    DepthformerSpec,
    GuidanceScale,
    TransformerSpec,
)
from bandmate.models.depthformer import cpu, weights  # noqa: E402
from bandmate.models.depthformer.depthformer import Depthformer  # noqa: E402
from bandmate.models.depthformer.linear import Matrix, WeightFormat  # noqa: E402
from bandmate.models.depthformer.transformer import (  # noqa: E402
    Attention,
    FeedForward,
    Layer,
)
from bandmate.models.mrt2.random_weights import random_tensors  # noqa: E402
from bandmate.parity.recording import only  # noqa: E402

CONDITIONING = ConditioningSpec(
    3, 8, 0, tuple(GuidanceScale(name, -1.0, 7.0, 0.2) for name in ("style", "notes", "drums"))
)
FRAMES = 10  # more than the windows are long
# What is not a multiple of a group of 64 wide stays plain: both kinds are there.
SPEC = DepthformerSpec(
    encoder_width=24,
    style_embedding_width=64,
    codebooks=3,
    codebook_size=37,
    temporal=TransformerSpec(2, 128, 192, 2, 32, 5, 3),
    depth=TransformerSpec(2, 64, 72, 2, 32, 2),
)
# Both decoders equally wide: there is no adapter between them. Head and feed-forward widths that
# fill no vector.
EVEN = DepthformerSpec(
    encoder_width=20,
    style_embedding_width=9,
    codebooks=4,
    codebook_size=33,
    temporal=TransformerSpec(1, 44, 50, 3, 7, 2, 6),
    depth=TransformerSpec(3, 44, 21, 1, 11, 3),
)


def tensors(spec: DepthformerSpec) -> dict[str, mx.array]:
    """Weights that bfloat16 holds exactly. Learned vectors are not what they start as: a query
    factor or a norm that is left out would not show otherwise."""
    out = {}
    keys = iter(mx.random.split(mx.random.key(1), 1000))
    for name, tensor in random_tensors(weights.shapes(spec, CONDITIONING)).items():
        if name.endswith(("/scale", "/bias", "per_dim_scale")):
            tensor = tensor + 0.5 * mx.random.normal(tensor.shape, key=next(keys))
        out[name] = tensor.astype(mx.bfloat16)
    return out


def model(spec: DepthformerSpec, form: WeightFormat) -> Depthformer:
    return Depthformer(spec, CONDITIONING, tensors(spec), form)


def walk(spec: DepthformerSpec, native: Depthformer, plain: Depthformer, rows: int):
    """Both models' hidden vectors and logits, frame by frame, with the same codes before."""
    runner = cpu.CpuRunner(native)
    ours, theirs = runner.init_state(rows), plain.init_state(rows)
    rng = np.random.default_rng(0)
    for _ in range(FRAMES):
        tokens = rng.integers(6, 11, (1, 1, native.layout.channels)).astype(np.int32)
        tokens = native.layout.negatives(tokens[0]) if rows == 3 else tokens
        codes = rng.integers(0, spec.codebook_size, spec.codebooks).astype(np.int32)
        noise = only(codes, spec.codebook_size)
        one, all_codes = np.ones(1, np.float32), np.full(1, spec.codebook_size, np.int32)
        seen: dict[str, np.ndarray] = {}
        picked, ours = runner.frame(
            tokens, noise, one, all_codes, np.zeros((1, 2), np.float32), ours, seen
        )
        assert (picked[0] == codes).all()
        hidden, theirs = plain.temporal(plain.encode(mx.array(tokens[0])), theirs)
        logits = []

        def pick(codebook, features, codes=codes, logits=logits):
            logits.append(np.array(plain.logits(codebook, features)))
            return mx.full((rows,), int(codes[codebook]), mx.int32)

        theirs["previous"] = plain.ids(plain.depth(hidden, pick))
        np.testing.assert_array_equal(ours["previous"], np.array(theirs["previous"]))
        yield seen["temporal_out"], np.array(hidden.astype(mx.float32))
        yield seen["logits"], np.stack(logits)


def widen(part: Any) -> None:
    """Gives a model's parts, in place, the same weights' values in float32."""
    for name, value in vars(part).items():
        if isinstance(value, mx.array) and value.dtype == mx.bfloat16:
            setattr(part, name, value.astype(mx.float32))
        elif isinstance(value, list) and value and isinstance(value[0], mx.array):
            setattr(part, name, [array.astype(mx.float32) for array in value])
        elif isinstance(value, Matrix):
            packed = value.held
            if isinstance(packed, tuple):
                words, *others = packed
                packed = mx.dequantize(words, *(a.astype(mx.float32) for a in others), bits=8)
            setattr(part, name, Matrix(packed, WeightFormat(mx.float32)))
        elif isinstance(value, Layer | Attention | FeedForward):
            widen(value)
        elif isinstance(value, list):
            holder = SimpleNamespace(**{str(i): inner for i, inner in enumerate(value)})
            widen(holder)
            setattr(part, name, list(vars(holder).values()))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("spec", [SPEC, EVEN], ids=["grouped", "even"])
@pytest.mark.parametrize("name", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("instruction_set", ["AVX-512", "AVX2", "baseline"])
def test_native_runner_computes_what_mlx_computes(spec, name, rows, instruction_set, monkeypatch):
    monkeypatch.setenv("BANDMATE_INSTRUCTION_SET", instruction_set)
    form = WeightFormat.named(name)
    plain = model(spec, form)
    widen(plain)
    for ours, theirs in walk(spec, model(spec, form), plain, rows):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)


def test_several_rows_are_what_each_is_alone():
    """The kernels take four, two and one row at a time."""
    depthformer = model(SPEC, WeightFormat(mx.bfloat16, 8))
    runner = cpu.CpuRunner(depthformer)
    rng = np.random.default_rng(1)
    sessions = 7
    tokens = rng.integers(6, 11, (sessions, 1, depthformer.layout.channels)).astype(np.int32)
    noise = rng.gumbel(size=(sessions, SPEC.codebooks, SPEC.codebook_size)).astype(np.float32)

    def frame(places: slice) -> tuple[np.ndarray, np.ndarray]:
        count = len(tokens[places])
        seen: dict[str, np.ndarray] = {}
        inputs = (np.ones(count, np.float32), np.full(count, 9, np.int32))
        state = runner.init_state(count)
        scales = np.zeros((count, 2), np.float32)
        codes, _ = runner.frame(tokens[places], noise[places], *inputs, scales, state, seen)
        return codes, seen["logits"].swapaxes(0, 1)

    together, logits = frame(slice(None))
    for place in range(sessions):
        codes, alone = frame(slice(place, place + 1))
        assert (codes[0] == together[place]).all()
        np.testing.assert_allclose(alone[0], logits[place], atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("sessions", [2, 5])
def test_sessions_that_threads_share_play_what_each_plays_alone(sessions, rows, monkeypatch):
    """Few sessions share every product; of many, each thread takes some all the way."""
    monkeypatch.setenv("BANDMATE_THREADS", "2")
    depthformer = model(SPEC, WeightFormat(mx.bfloat16))
    runner = cpu.CpuRunner(depthformer)
    rng = np.random.default_rng(2)
    shape = (FRAMES, sessions, rows, depthformer.layout.channels)
    tokens = rng.integers(6, 11, shape).astype(np.int32)
    noise = rng.gumbel(size=(FRAMES, sessions, SPEC.codebooks, SPEC.codebook_size))
    temperature = np.linspace(0.5, 1.5, sessions, dtype=np.float32)
    top_k = np.arange(5, 5 + sessions, dtype=np.int32)
    scales = rng.uniform(0, 2, (sessions, 2)).astype(np.float32)

    def play(places: slice) -> tuple[np.ndarray, dict[str, Any]]:
        settings = (temperature[places], top_k[places], scales[places])
        state, heard = runner.init_state(len(settings[0]) * rows), []
        for told, drawn in zip(tokens[:, places], noise.astype(np.float32)[:, places], strict=True):
            given = np.ascontiguousarray(told), np.ascontiguousarray(drawn)
            codes, state = runner.frame(*given, *settings, state)
            heard.append(codes)
        return np.stack(heard, axis=1), state

    together, state = play(slice(None))
    for place in range(sessions):
        codes, own = play(slice(place, place + 1))
        np.testing.assert_array_equal(codes[0], together[place])
        of_it = slice(place * rows, (place + 1) * rows)
        np.testing.assert_array_equal(own["previous"], state["previous"][of_it])
        for mine, theirs in zip(own["keys"], state["keys"], strict=True):
            np.testing.assert_array_equal(mine, theirs[of_it])
