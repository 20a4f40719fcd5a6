# SPDX-License-Identifier: GPL-3.0-or-later
"""The native codec decoder against MLX's: any sizes, any number of sessions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bandmate.engine import blas

blas.activate()

import mlx.core as mx  # noqa: E402  (MLX must come after the BLAS)
from support.official import PARITY_DATA  # noqa: E402

from bandmate.models.batching import Batched, gather  # noqa: E402
from bandmate.models.mrt2.codec import SpectroStreamCodec  # noqa: E402
from bandmate.models.mrt2.random_weights import random_tensors  # noqa: E402
from bandmate.models.mrt2.spectrostream import cpu  # noqa: E402
from bandmate.models.mrt2.spectrostream.decoder import Decoder  # noqa: E402
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer  # noqa: E402
from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec, decoder_shapes  # noqa: E402
from bandmate.parity.config import read_config  # noqa: E402

FRAMES = 5
TINY = read_config(PARITY_DATA).codec
# Strides that are 3 in time, more positions than one tile has, channels that fill no vector and
# ones that fill several; growth in every block, and one audio channel.
ODD = replace(
    TINY,
    stft_window=96,
    stft_hop=48,
    embedding=7,
    ratios=((1, 3), (3, 1), (1, 2), (2, 2)),
    multipliers=(3, 1, 2, 2),
    decoder_depth=9,
    base_kernel=5,
)
MONO = replace(ODD, audio_channels=1, decoder_depth=40, base_kernel=7, lookahead_frames=2)


def tensors(spec: SpectroStreamSpec) -> dict[str, mx.array]:
    """Weights that keep the sound near 1, with biases."""
    keys = iter(mx.random.split(mx.random.key(3), 200))
    out = {}
    for name, tensor in random_tensors(decoder_shapes(spec)).items():
        if name.endswith("bias"):
            out[name] = 0.1 * mx.random.normal(tensor.shape, key=next(keys))
        else:
            out[name] = 2.5 * tensor
    return out


@pytest.fixture(params=[TINY, ODD, MONO], ids=["official form", "odd", "mono"])
def spec(request) -> SpectroStreamSpec:
    assert cpu.usable(), "the native decoder is not built"
    return request.param


@pytest.fixture(params=["AVX-512", "AVX2", "baseline"])
def instruction_set(request, monkeypatch) -> str:
    """Kernels up to this set: machines have different ones."""
    monkeypatch.setenv("BANDMATE_INSTRUCTION_SET", request.param)
    names = ["baseline", "AVX2", "AVX-512"]
    chosen = cpu._spectrostream.instruction_set()
    assert names.index(chosen) <= names.index(request.param)
    return chosen


@pytest.mark.parametrize("sessions", [1, 3])
@pytest.mark.usefixtures("instruction_set")
def test_native_decoder_computes_what_mlx_computes(spec, sessions):
    plain, native = Decoder(spec, tensors(spec)), cpu.NativeDecoder(spec, tensors(spec))
    theirs, ours = plain.init_state(sessions), native.init_state(sessions)
    rng = np.random.default_rng(0)
    for frame in range(FRAMES):
        vectors = mx.array(rng.normal(size=(sessions, 1, spec.embedding)).astype(np.float32))
        expected, theirs = plain(vectors, theirs)
        audio, ours = native(vectors, ours)
        assert audio.shape == (sessions, spec.frame_samples, spec.audio_channels)
        largest = float(mx.abs(expected).max())
        assert (largest > 0.01) == (frame >= spec.lookahead_frames)
        np.testing.assert_allclose(audio, expected, atol=1e-5 * max(largest, 1e-9))
    # What is carried on is the same too, array by array.
    assert ours.keys() == theirs.keys()
    for mine, other in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5 * max(1, float(np.abs(other).max())))


def flat(tree) -> list[np.ndarray]:
    if isinstance(tree, dict):
        return [array for name in sorted(tree) for array in flat(tree[name])]
    if isinstance(tree, list):
        return [array for item in tree for array in flat(item)]
    return [np.array(tree)]


def test_sessions_come_go_and_change_places(spec):
    """Scratch memory is shared: nothing of one session may reach another."""
    books = mx.random.normal((2, 8, spec.embedding), key=mx.random.key(0))
    codec = SpectroStreamCodec(Quantizer(books), cpu.NativeDecoder(spec, tensors(spec)), 0.5)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 8, (3, FRAMES, 2)).astype(np.int32)
    alone = []
    for session in codes:
        states, frames = [codec.init_state()], []
        for code in session:
            audio, states = codec.decode(code[None], states)
            frames.append(audio[0])
        alone.append(frames)
    states = [codec.init_state() for _ in codes]
    for frame in range(FRAMES):
        places = [[0, 1, 2], [2, 0], [1]][frame % 3]
        done = {}
        for together in (places, [p for p in range(3) if p not in places]):
            if together:
                audio, new = codec.decode(codes[together, frame], [states[p] for p in together])
                done |= dict(zip(together, zip(audio, new, strict=True), strict=True))
        for place, (audio, state) in done.items():
            states[place] = state
            np.testing.assert_allclose(audio, alone[place][frame], atol=1e-6)


def test_states_are_not_modified(spec):
    native = cpu.NativeDecoder(spec, tensors(spec))
    vectors = mx.random.normal((1, 1, spec.embedding), key=mx.random.key(5))
    _, before = native(vectors, native.init_state(1))
    one, _ = native(vectors, before)
    two, _ = native(vectors, gather([Batched(before, 0, 1)]))
    assert (np.array(one) == np.array(two)).all()


def test_kernels_that_do_not_fit_are_named():
    values = tensors(TINY)
    name = "decoder_0/conv2d_3x3/conv/kernel"
    values[name] = values[name][:, :, 1:]
    with pytest.raises(ValueError, match=r"'up\.0\.second' has the wrong shape"):
        cpu.NativeDecoder(TINY, values)
