# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the language model frame by frame and records what the reference's files hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.depthformer.cpu import CpuRunner
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.sampling import (
    guided,
    pick_codes,
    reference_key,
    reference_noise,
)
from bandmate.models.language_model import step_function

REFERENCE_SEED = 42
ROWS = 3  # with logit guidance
Recorded = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Run:
    """How a recorded run was made.

    Attributes:
        temperature, top_k: of every frame.
        scales: logit guidance for style and notes, or None for one row and conditioning alone.
        teacher: codes [frames, codebooks] that replace whatever is picked, or None.
    """

    temperature: float = 0.0
    top_k: int = 1
    scales: tuple[float, float] | None = None
    teacher: NDArray[np.int32] | None = None


def rows_of(model: Depthformer, tokens: NDArray[np.int32], run: Run) -> mx.array:
    """One frame's conditioning ids [channels] -> [1, 1 or 3, channels]."""
    rows = tokens[None]
    return mx.array(rows[:, None] if run.scales is None else model.layout.negatives(rows))


def record(
    model: Depthformer,
    tokens: NDArray[np.int32],
    run: Run,
    forced: NDArray[np.int32],
    keys: list[mx.array],
) -> Recorded:
    """Runs the parts of a frame one by one, with everything in between.

    Args:
        tokens: ids [frames, channels].
        forced: codes [n, codebooks] of the first n frames; may be empty.
        keys: of the random numbers, one a row.

    Returns:
        Name -> array [frames, ...], named as in the reference's files. Arrays have an axis of
        three rows after the frames with logit guidance. `depth_logits` [frames, codebooks,
        (rows,) codes of all codebooks] covers frames that were not forced.
    """
    spec = model.spec
    rows = 1 if run.scales is None else ROWS
    scales = mx.array([run.scales or (0.0, 0.0)])
    temperature, top_k = mx.array([run.temperature]), mx.array([run.top_k])
    state = model.init_state(rows)
    out: dict[str, list[NDArray[np.float32]]] = defaultdict(list)

    def keep(name: str, value: mx.array) -> None:
        array = np.array(value.astype(mx.float32))
        out[name].append(array[0] if rows == 1 else array)

    for frame, frame_tokens in enumerate(tokens):
        out["rng_before"].append(np.stack([np.array(key) for key in keys]))
        encoded = model.encode(rows_of(model, frame_tokens, run)[0], keep)
        keep("encoder", encoded)
        hidden, state = model.temporal(encoded, state, keep)
        keep("temporal_out", hidden)
        if frame < len(forced):
            codes = mx.array(forced[frame])[None]
        else:
            drawn = [_noise(model, key) for key in keys]
            noise, keys = drawn[0][0], [key for _, key in drawn]
            logits: list[NDArray[np.float32]] = []

            def pick(
                codebook: int,
                features: mx.array,
                frame: int = frame,
                noise: mx.array = noise,
                logits: list[NDArray[np.float32]] = logits,
            ) -> mx.array:
                whole = [model.raw_logits(k, features) for k in range(spec.codebooks)]
                logits.append(np.array(mx.concatenate(whole, axis=-1).astype(mx.float32)))
                if run.teacher is not None:
                    return mx.full((rows,), int(run.teacher[frame, codebook]), mx.int32)
                capped = model.logits(codebook, features)[None]
                one = guided(capped, scales) if rows > 1 else capped[:, 0]
                return mx.repeat(pick_codes(one, noise[:, codebook], temperature, top_k), rows)

            codes = model.depth(hidden, pick)[:1]
            stacked = np.stack(logits)
            out["depth_logits"].append(stacked[:, 0] if rows == 1 else stacked)
        out["codes"].append(np.array(codes)[0])
        state["previous"] = mx.repeat(model.ids(codes), rows, axis=0)
        mx.eval(state)
    return {name: np.stack(values) for name, values in out.items()}


def play(
    model: Depthformer,
    tokens: NDArray[np.int32],
    run: Run,
    forced: NDArray[np.int32],
    key: mx.array,
) -> NDArray[np.int32]:
    """Codes [frames, codebooks] by the step that the engine uses with MLX."""
    step = step_function(model)

    def one(*inputs: Any) -> tuple[NDArray[np.int32], Any]:
        *controls, state = inputs
        codes, state = step(*map(mx.array, controls), state)
        mx.eval(codes, state)
        return np.array(codes), state

    def force(rows: NDArray[np.int32], codes: NDArray[np.int32], state: Any) -> Any:
        return model.forced_frame(mx.array(rows), mx.array(codes), state)

    return _played(model, one, force, model.init_state, tokens, run, forced, key)


def play_native(
    runner: CpuRunner,
    model: Depthformer,
    tokens: NDArray[np.int32],
    run: Run,
    forced: NDArray[np.int32],
    key: mx.array,
) -> Recorded:
    """The native step that the engine uses on CPUs.

    Returns:
        `codes` [frames, codebooks], and of the frames that were not forced `temporal_out` [n,
        (rows,) width] and soft-capped `logits` [n, codebooks, (rows,) codebook_size].
    """
    out: dict[str, list[NDArray[np.float32]]] = {"temporal_out": [], "logits": []}

    def one(*inputs: Any) -> tuple[NDArray[np.int32], Any]:
        seen: dict[str, NDArray[np.float32]] = {}
        codes, state = runner.frame(*inputs, seen)
        single = run.scales is None
        out["temporal_out"].append(seen["temporal_out"][0] if single else seen["temporal_out"])
        out["logits"].append(seen["logits"][:, 0] if single else seen["logits"])
        return codes, state

    codes = _played(model, one, runner.forced_frame, runner.init_state, tokens, run, forced, key)
    return {"codes": codes, **{name: np.stack(values) for name, values in out.items()}}


def _played(
    model: Depthformer,
    step: Callable[..., tuple[NDArray[np.int32], Any]],
    force: Callable[..., Any],
    init_state: Callable[[int], Any],
    tokens: NDArray[np.int32],
    run: Run,
    forced: NDArray[np.int32],
    key: mx.array,
) -> NDArray[np.int32]:
    state = init_state(1 if run.scales is None else ROWS)
    scales = np.array([run.scales or (0.0, 0.0)], np.float32)
    temperature, top_k = run.temperature, run.top_k
    if run.teacher is not None:
        temperature, top_k = 1.0, model.spec.codebook_size  # the noise alone decides
    out = []
    for frame, frame_tokens in enumerate(tokens):
        rows = np.array(rows_of(model, frame_tokens, run))
        if frame < len(forced):
            state = force(rows, forced[frame : frame + 1], state)
            out.append(forced[frame])
            continue
        if run.teacher is not None:
            noise = only(run.teacher[frame], model.spec.codebook_size)
        else:
            drawn, key = _noise(model, key)
            noise = np.array(drawn)
        codes, state = step(
            rows,
            noise,
            np.array([temperature], np.float32),
            np.array([top_k], np.int32),
            scales,
            state,
        )
        out.append(codes[0])
    return np.stack(out)


def only(codes: NDArray[np.int32], size: int) -> NDArray[np.float32]:
    """Noise [1, codebooks, size] that leaves nothing else than these codes to pick."""
    noise = np.full((1, len(codes), size), -1e9, np.float32)
    noise[0, np.arange(len(codes)), codes] = 0
    return noise


def reference_keys(theirs: Mapping[str, NDArray[Any]], run: Run) -> list[mx.array]:
    """The keys that a recorded run began with, one a row: its own, or those of the default seed."""
    if "rng_before" in theirs:
        return [mx.array(np.asarray(key, np.uint32)) for key in theirs["rng_before"][0]]
    rows = 1 if run.scales is None else ROWS
    return [reference_key(REFERENCE_SEED + row) for row in range(rows)]


def _noise(model: Depthformer, key: mx.array) -> tuple[mx.array, mx.array]:
    spec = model.spec
    return reference_noise(key, spec.codebooks, spec.codebook_size, model.vocabulary)
