# SPDX-License-Identifier: GPL-3.0-or-later
"""The language model at a small size: streams, batches, both implementations, refused weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)

from bandmate.models.batching import Batched, with_rows  # noqa: E402
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
from bandmate.models.depthformer.sampling import session_noise  # noqa: E402
from bandmate.models.depthformer.vocabulary import guidance_bin  # noqa: E402
from bandmate.models.interface import (  # noqa: E402
    NOTE_EITHER,
    NOTE_MASKED,
    PITCHES,
    FrameControls,
    FrameSpec,
    StateError,
    StyleShare,
)
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
SEES_PAST = replace(SPEC, depth_past=True)
EXPECTS = replace(SPEC, expects=True, hold=(1.0, 1.3), rise=1.0)
FRAMES = 12


class SilentCodec:
    """Passes the codes through as samples, so that they can be looked at."""

    def init_state(self):
        return 0

    def decode(self, codes, states):
        audio = np.zeros((len(codes), 8, 2), np.float32)
        audio[:, : codes.shape[1], 0] = codes
        return audio, [state + 1 for state in states]

    def state_tree(self, state):
        return {"frames": np.array([state])}

    def state_from_tree(self, tree):
        return int(tree["frames"][0])


def make_model(*, native: bool, spec: DepthformerSpec = SPEC) -> CodecLanguageModel:
    tensors = random_tensors(weights.shapes(spec, CONDITIONING))
    shape = (spec.codebooks, spec.codebook_size, 3)
    values = mx.array(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    depthformer = Depthformer(
        spec,
        CONDITIONING,
        tensors,
        code_values=values if spec.expects else None,
        code_levels=values[..., 0] * 3 if spec.expects else None,
    )
    assert cpu.usable(depthformer), "the native runner is not built"
    model = CodecLanguageModel(FrameSpec(48000, 8, 2, 0), depthformer, SilentCodec())
    if not native:
        model._cpu = None
    return model


def controls(frame: int, seed: int = 0, guided: bool = False) -> FrameControls:
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
        logit_guidance=guided,
    )


def play(model: CodecLanguageModel, seed: int = 0, guided=lambda _: False) -> np.ndarray:
    state, out = model.init_state(), []
    for frame in range(FRAMES):
        (audio,), (state,) = model.step([controls(frame, seed, guided(frame))], [state])
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


@pytest.mark.parametrize("native", [True, False], ids=["native", "mlx"])
def test_a_model_that_forgets_is_told_its_past_only_where_it_is_free(native):
    spec = replace(SEES_PAST, forgets=True)
    forgets, remembers = (make_model(native=native, spec=s) for s in (spec, SEES_PAST))

    def after(model: CodecLanguageModel, code: int, told: int, anew: bool) -> tuple[int, ...]:
        state = model.init_state()
        tree = state.language.own_tree()
        ids = np.full((1, SPEC.codebooks), 6 + code, np.int32)
        ids += np.arange(SPEC.codebooks, dtype=np.int32) * SPEC.codebook_size
        tree["previous"] = ids if native else mx.array(ids)
        state = replace(state, language=Batched(tree, 0, 1))
        notes = np.where(np.arange(128) < told, 0, -1).astype(np.int32)
        given = replace(controls(0), notes=notes, anew=anew)
        (audio,), _ = model.step([given], [state])
        return tuple(audio[: SPEC.codebooks, 0].astype(int))

    def ways(model: CodecLanguageModel, told: int, anew: bool) -> int:
        return len({after(model, code, told, anew) for code in range(5)})

    assert ways(forgets, told=128, anew=False) == 1
    assert ways(forgets, told=127, anew=True) == 1
    assert ways(forgets, told=127, anew=False) > 1
    assert ways(remembers, told=128, anew=True) > 1


def test_states_are_not_modified(model):
    first = model.init_state()
    (one,), _ = model.step([controls(0)], [first])
    (two,), _ = model.step([controls(0)], [first])
    assert (one == two).all()


def test_seeds_and_frames_differ(model):
    assert (play(model, 0) != play(model, 1)).any()
    assert len({tuple(codes) for codes in play(model, 0)}) > 1


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("spec", [SPEC, SEES_PAST, EXPECTS], ids=["plain", "sees past", "expects"])
def test_native_runner_plays_what_mlx_plays(spec, guided):
    native, mlx = (
        play(make_model(native=native, spec=spec), guided=lambda _: guided)
        for native in (True, False)
    )
    assert (native == mlx).all()


def test_a_depth_decoder_that_sees_the_past_plays_otherwise_for_another_past():
    model = make_model(native=True, spec=SEES_PAST)
    runner = model._cpu
    tokens = model.depthformer.layout.tokens([controls(0)])[:, None]
    noise = np.zeros((1, SPEC.codebooks, SPEC.codebook_size), np.float32)
    rest = (np.zeros(1, np.float32), np.ones(1, np.int32), np.zeros((1, 2), np.float32))
    picked = set()
    for shift in range(4):
        state = runner.init_state(1)
        ids = np.arange(SPEC.codebooks) * SPEC.codebook_size + 6 + shift
        state["previous"] = ids[None].astype(np.int32)
        codes, _ = runner.frame(tokens, noise, *rest, state)
        picked.add(tuple(codes[0]))
    assert len(picked) > 1


def always(_: int) -> bool:
    return True


def now_and_then(frame: int) -> bool:
    return frame % 5 in (2, 3)


def test_guided_sessions_play_the_same_beside_others(model):
    """Guidance of the logits is each session's own, and may come and go."""
    kinds = (lambda _: False, always, now_and_then, always)
    alone = [play(model, seed, guided) for seed, guided in enumerate(kinds)]
    assert (play(model, 1) != alone[1]).any()
    assert (alone[2][:3] == play(model, 2)[:3]).any()
    assert (alone[2] != play(model, 2)).any()
    states = [model.init_state() for _ in kinds]
    for frame in range(FRAMES):
        now = [controls(frame, seed, guided(frame)) for seed, guided in enumerate(kinds)]
        frames, states = model.step(now, states)
        for seed, audio in enumerate(frames):
            assert (audio[: SPEC.codebooks, 0].astype(int) == alone[seed][frame]).all()


@pytest.mark.parametrize("native", [True, False], ids=["native", "mlx"])
@pytest.mark.parametrize(
    ("free", "anew", "limited"),
    [(0, False, True), (0, True, False), (NOTE_MASKED, False, False), (NOTE_EITHER, False, False)],
)
def test_codes_get_no_louder_only_where_no_note_can_begin(native, free, anew, limited):
    """All pitches are told but one, which is `free`."""
    notes = np.zeros(PITCHES, np.int32)
    notes[60] = free

    def play(rise: float | None) -> np.ndarray:
        model = make_model(native=native, spec=replace(EXPECTS, rise=rise))
        state, out = model.init_state(), []
        for frame in range(FRAMES):
            given = replace(controls(frame), notes=notes, anew=anew)
            (audio,), (state,) = model.step([given], [state])
            out.append(audio[: SPEC.codebooks, 0])
        return np.stack(out)

    assert (play(1.0) != play(None)).any() == limited


def blended(frame: int, seed: int, weights: dict[int, float]) -> FrameControls:
    """Controls of a blend of prompts by slot, which stay as they are."""
    prompts = np.random.default_rng(7).integers(0, 8, (6, 3)).astype(np.int32)
    shares = tuple(StyleShare(slot, w, prompts[slot]) for slot, w in sorted(weights.items()))
    return replace(controls(frame, seed), blend=shares, style=shares[0].codes)


def play_blend(model: CodecLanguageModel, weights_at, seed: int = 0) -> np.ndarray:
    state, out = model.init_state(), []
    for frame in range(FRAMES):
        (audio,), (state,) = model.step([blended(frame, seed, weights_at(frame))], [state])
        out.append(audio[: SPEC.codebooks, 0])
    return np.stack(out).astype(int)


def come_and_go(frame: int) -> dict[int, float]:
    """One prompt, another comes, the first goes, a third comes and the second goes."""
    return [{1: 1.0}, {1: 0.6, 4: 0.4}, {4: 1.0}, {2: 0.2, 4: 0.8}, {2: 1.0}][frame // 3 % 5]


@pytest.mark.parametrize("weights_at", [lambda _: {0: 0.3, 2: 0.3, 3: 0.4}, come_and_go])
def test_native_runner_blends_as_mlx_does(weights_at):
    native, mlx = (
        play_blend(make_model(native=native, spec=EXPECTS), weights_at) for native in (True, False)
    )
    assert (native == mlx).all()
    assert (native != play_blend(make_model(native=True, spec=EXPECTS), lambda _: {0: 1.0})).any()


@pytest.mark.parametrize("native", [True, False], ids=["native", "mlx"])
def test_a_blend_leads_from_one_prompt_to_the_other(native):
    model = make_model(native=native, spec=EXPECTS)
    one, other = (play_blend(model, lambda _, slot=slot: {slot: 1.0}) for slot in (1, 4))
    near, twice = (play_blend(model, lambda _, w=w: {1: 1 - w, 4: w}) for w in (1e-7, 0.5))
    assert (near == one).all(), "what weighs nothing is not heard"
    assert (twice != one).any()
    assert (twice != other).any()
    assert (
        play_blend(make_model(native=native), lambda _: {1: 0.5, 4: 0.5})
        == play_blend(make_model(native=native), lambda _: {1: 1.0})
    ).all(), "other models go by the codes of the blend"


@pytest.mark.parametrize("native", [True, False], ids=["native", "mlx"])
def test_sessions_that_blend_play_the_same_beside_others(native):
    model = make_model(native=native, spec=EXPECTS)
    ways = (come_and_go, lambda _: {0: 0.5, 5: 0.5}, lambda _: {3: 1.0}, come_and_go)
    alone = [play_blend(model, way, seed) for seed, way in enumerate(ways)]
    states = [model.init_state() for _ in ways]
    for frame in range(FRAMES):
        now = [blended(frame, seed, way(frame)) for seed, way in enumerate(ways)]
        frames, states = model.step(now, states)
        for seed, audio in enumerate(frames):
            assert (audio[: SPEC.codebooks, 0].astype(int) == alone[seed][frame]).all()


def test_a_prompt_keeps_its_own_past_while_others_come_and_go():
    model = make_model(native=True, spec=EXPECTS)
    state = model.init_state()
    for frame in range(3):
        _, (state,) = model.step([blended(frame, 0, {1: 0.5, 4: 0.5})], [state])
    both = state.language.own_tree()
    alone = with_rows(state.language, (4,)).own_tree()
    np.testing.assert_array_equal(alone["keys"][0], both["keys"][0][1:])
    assert (both["keys"][1][0] != both["keys"][1][1]).any(), "the prompts' pasts differ"


@pytest.mark.parametrize(
    "names",
    [
        np.zeros(2, np.int32),
        np.zeros(0, np.int32),
        np.array([0.5, 1.5]),
        np.zeros((1, 2), np.int32),
        np.arange(40, dtype=np.int32),
    ],
)
def test_rows_that_are_not_named_are_refused(names):
    model = make_model(native=True, spec=EXPECTS)
    arrays = model.state_arrays(model.init_state())
    with pytest.raises(StateError, match="rows"):
        model.state_from_arrays({**arrays, "rows": names})


def test_a_blend_outlives_the_process(model):
    model = make_model(native=model._cpu is not None, spec=EXPECTS)
    weights = {1: 0.5, 2: 0.2, 4: 0.3}
    (_,), (state,) = model.step([blended(0, 0, weights)], [model.init_state()])
    kept = {name: value.copy() for name, value in model.state_arrays(state).items()}
    after = {2: 0.6, 4: 0.4}
    (on,), _ = model.step([blended(1, 0, after)], [state])
    (resumed,), _ = model.step([blended(1, 0, after)], [model.state_from_arrays(kept)])
    assert (on == resumed).all()


def test_a_guided_state_outlives_the_process(model):
    (_,), (state,) = model.step([controls(0, guided=True)], [model.init_state()])
    kept = {name: value.copy() for name, value in model.state_arrays(state).items()}
    (on,), _ = model.step([controls(1, guided=True)], [state])
    (resumed,), _ = model.step([controls(1, guided=True)], [model.state_from_arrays(kept)])
    assert (on == resumed).all()


@pytest.mark.parametrize("spec", [SPEC, SEES_PAST, EXPECTS], ids=["plain", "sees past", "expects"])
def test_native_runner_is_as_exact_as_mlx(spec):
    model = make_model(native=True, spec=spec)
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
