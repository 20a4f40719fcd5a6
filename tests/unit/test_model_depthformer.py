# SPDX-License-Identifier: GPL-3.0-or-later
"""The language model at a small size: streams, batches, both implementations, refused weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.models.bundle import (  # noqa: E402
    BundleError,
    ConditioningSpec,
    DepthformerSpec,
    GuidanceScale,
    TransformerSpec,
)
from bandmate.models.depthformer import cpu, weights  # noqa: E402
from bandmate.models.depthformer.checkpoint import checked_tensors, load_tensors  # noqa: E402
from bandmate.models.depthformer.depthformer import Depthformer  # noqa: E402
from bandmate.models.depthformer.linear import WeightFormat  # noqa: E402
from bandmate.models.depthformer.sampling import session_noise  # noqa: E402
from bandmate.models.depthformer.vocabulary import guidance_bin  # noqa: E402
from bandmate.models.interface import PITCHES, FrameControls, FrameSpec  # noqa: E402
from bandmate.models.language_model import CodecLanguageModel  # noqa: E402
from bandmate.models.mrt2.random_weights import random_tensors  # noqa: E402

SCALE = GuidanceScale("style", -1.0, 7.0, 0.2)
CONDITIONING = ConditioningSpec(3, 8, 4, (SCALE, replace(SCALE, name="notes"), SCALE))
SPEC = DepthformerSpec(
    encoder_width=24,
    style_embedding_width=16,
    codebooks=4,
    codebook_size=37,
    temporal=TransformerSpec(2, 48, 80, 3, 16, 5, 3),
    depth=TransformerSpec(2, 32, 72, 2, 16, 3),
)
FRAMES = 12


class SilentCodec:
    """Passes the codes through as samples, so that they can be looked at."""

    def init_state(self):
        return 0

    def decode(self, codes, states):
        audio = np.zeros((len(codes), 8, 2), np.float32)
        audio[:, : codes.shape[1], 0] = codes
        return audio, [state + 1 for state in states]


def make_model(*, native: bool, guided: bool = False) -> CodecLanguageModel:
    tensors = random_tensors(weights.shapes(SPEC, CONDITIONING))
    depthformer = Depthformer(SPEC, CONDITIONING, tensors)
    assert cpu.usable(depthformer), "the native runner is not built"
    model = CodecLanguageModel(
        FrameSpec(48000, 8, 2, 0), depthformer, SilentCodec(), logit_guidance=guided
    )
    if not native:
        model._cpu = None
    return model


def controls(frame: int, seed: int = 0) -> FrameControls:
    rng = np.random.default_rng(frame * 1000 + seed)
    return FrameControls(
        style=rng.integers(-1, 8, 3).astype(np.int32),
        notes=rng.integers(-1, 8, PITCHES).astype(np.int32),
        drums=int(rng.integers(-1, 2)),
        guidance=(3.0, 1.0, 7.0),
        temperature=1.0,
        top_k=20,
        seed=seed,
        frame_index=frame,
    )


def play(model: CodecLanguageModel, seed: int = 0, frames: int = FRAMES) -> np.ndarray:
    state, out = model.init_state(), []
    for frame in range(frames):
        (audio,), (state,) = model.step([controls(frame, seed)], [state])
        out.append(audio[: SPEC.codebooks, 0])
    return np.stack(out).astype(int)


@pytest.fixture(params=["native", "mlx"])
def model(request) -> CodecLanguageModel:
    return make_model(native=request.param == "native")


def test_session_plays_the_same_alone_and_in_any_row(model):
    alone = {seed: play(model, seed) for seed in range(3)}
    states = {seed: model.init_state() for seed in range(3)}
    order = [0, 1, 2]
    for frame in range(FRAMES):
        if frame % 4 == 3:
            order = order[1:] + order[:1]
        frames, new = model.step(
            [controls(frame, seed) for seed in order], [states[seed] for seed in order]
        )
        for seed, audio, state in zip(order, frames, new, strict=True):
            states[seed] = state
            assert (audio[: SPEC.codebooks, 0].astype(int) == alone[seed][frame]).all()


def test_states_are_not_modified(model):
    first = model.init_state()
    (one,), _ = model.step([controls(0)], [first])
    (two,), _ = model.step([controls(0)], [first])
    assert (one == two).all()


def test_seeds_and_frames_differ(model):
    assert (play(model, 0) != play(model, 1)).any()
    assert len({tuple(codes) for codes in play(model, 0)}) > 1


@pytest.mark.parametrize("guided", [False, True])
def test_native_runner_plays_what_mlx_plays(guided):
    native = play(make_model(native=True, guided=guided))
    assert (native == play(make_model(native=False, guided=guided))).all()


def test_native_runner_is_as_exact_as_mlx():
    model = make_model(native=True)
    depthformer, runner = model.depthformer, model._cpu
    ours, theirs = runner.init_state(1), depthformer.init_state(1)
    for frame in range(FRAMES):
        tokens = depthformer.layout.tokens([controls(frame)])[:, None]
        inputs = (
            tokens,
            session_noise(0, frame, SPEC.codebooks, SPEC.codebook_size)[None],
            np.array([1.0], np.float32),
            np.array([20], np.int32),
            np.zeros((1, 2), np.float32),
        )
        _, ours = runner.frame(*inputs, ours)
        _, theirs = depthformer.frame(*map(mx.array, inputs), theirs)
        for name in ("keys", "values", "cross_keys", "cross_values"):
            for a, b in zip(ours[name], theirs[name], strict=True):
                np.testing.assert_allclose(a, np.array(b), atol=2e-5)


def test_native_runner_reads_bfloat16():
    """Weights that bfloat16 holds exactly give what they give in float32, up to the first sinks,
    whose division by the query factor is rounded."""
    shapes = weights.shapes(SPEC, CONDITIONING)
    states = []
    for form in (WeightFormat(mx.float32), WeightFormat(mx.bfloat16)):
        tensors = {n: t.astype(mx.bfloat16) for n, t in random_tensors(shapes).items()}
        depthformer = Depthformer(SPEC, CONDITIONING, tensors, form)
        assert cpu.usable(depthformer)
        runner = cpu.CpuRunner(depthformer)
        state = runner.init_state(1)
        noise = session_noise(0, 0, SPEC.codebooks, SPEC.codebook_size)[None]
        tokens = depthformer.layout.tokens([controls(0)])[:, None]
        ones, scales = np.ones(1, np.float32), np.zeros((1, 2), np.float32)
        # One frame: after it, a code picked the other way would give the two different pasts.
        _, state = runner.frame(tokens, noise, ones, np.ones(1, np.int32), scales, state)
        states.append(state)
    exact, rounded = states
    for name in ("cross_keys", "cross_values"):
        for a, b in zip(exact[name], rounded[name], strict=True):
            np.testing.assert_allclose(a[:, :, -1], b[:, :, -1], atol=1e-5)
    for name in ("keys", "values"):
        (first, second), (other_first, other_second) = exact[name], rounded[name]
        np.testing.assert_allclose(first[:, :, -1], other_first[:, :, -1], atol=1e-5)
        np.testing.assert_allclose(second, other_second, atol=0.15 * np.abs(second).max())


def test_native_runner_refuses_ids_out_of_range():
    model = make_model(native=True)
    tokens = model.depthformer.layout.tokens([controls(0)])[:, None]
    tokens[0, 0, 0] = 10**6
    noise = np.zeros((1, SPEC.codebooks, SPEC.codebook_size), np.float32)
    ones = np.ones(1, np.float32)
    state = model._cpu.init_state(1)
    with pytest.raises(ValueError, match="conditioning id"):
        model._cpu.frame(
            tokens, noise, ones, np.ones(1, np.int32), np.zeros((1, 2), np.float32), state
        )


def test_greedy_is_independent_of_the_seed(model):
    state, codes = model.init_state(), []
    for seed in range(2):
        greedy = replace(controls(0), temperature=0.0, seed=seed)
        (audio,), _ = model.step([greedy], [state])
        codes.append(audio)
    assert (codes[0] == codes[1]).all()


def test_noise_is_a_function_of_seed_and_frame():
    noise = session_noise(5, 7, 3, 1000)
    assert (noise == session_noise(5, 7, 3, 1000)).all()
    assert (noise != session_noise(5, 8, 3, 1000)).any()
    assert (noise != session_noise(6, 7, 3, 1000)).any()
    # The standard Gumbel distribution: mean 0.5772, variance pi^2 / 6.
    assert np.isfinite(noise).all()
    assert noise.mean() == pytest.approx(0.577, abs=0.08)
    assert noise.var() == pytest.approx(np.pi**2 / 6, rel=0.1)


def test_controls_out_of_range_are_refused(model):
    wrong = replace(controls(0), style=np.array([0, 0, 8], np.int32))
    with pytest.raises(ValueError, match=r"style must be in -1\.\.7"):
        model.step([wrong], [model.init_state()])


def test_guidance_bins_are_clamped_and_rounded_to_even():
    assert [guidance_bin(SCALE, value) for value in (-5, -1, 0.9, 3.0, 7.0, 9)] == [
        0,
        0,
        9,
        20,
        40,
        40,
    ]


WANTED = {"params/a": (2, 3), "params/b": (4,)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"params/a": mx.zeros((2, 3))}, r"'params/b' is missing, wanted shape \[4\]"),
        (
            {"params/a": mx.zeros((3, 2)), "params/b": mx.zeros(4)},
            r"'params/a' has shape \[3, 2\], wanted \[2, 3\]",
        ),
        (
            {"params/a": mx.zeros((2, 3)), "params/b": mx.zeros(4), "params/c": mx.zeros((7, 1))},
            r"'params/c' of shape \[7, 1\] does not belong",
        ),
        (
            {"params/a": mx.zeros((2, 3)), "params/b": mx.zeros(4, mx.int32)},
            r"'params/b' has type",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tensors, message):
    with pytest.raises(BundleError, match=message):
        checked_tensors(tensors, WANTED, "file")


@pytest.mark.parametrize("keep", [0, 4, 40, 200])
def test_file_that_is_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "weights.safetensors"
    mx.save_safetensors(str(path), {"params/a": mx.zeros((30, 3))})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        load_tensors(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        load_tensors(tmp_path / "none.safetensors")
