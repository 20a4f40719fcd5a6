# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame of the language model on plain CPUs.

MLX runs a frame as thousands of small operations, and on CPUs each costs more to hand out than to
compute. The native runner computes the same frame from the same weights in one call. The MLX code
remains the definition, and runs everywhere else; tests hold the two together.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from numpy.typing import NDArray

from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import Held
from bandmate.models.depthformer.sampling import FREE_RISE
from bandmate.models.depthformer.transformer import EPSILON
from bandmate.models.depthformer.vocabulary import RESERVED
from bandmate.models.threads import threads

BYTE = 8  # bits of the quantised weights that the native runner reads
Shared = NDArray[np.generic] | tuple[NDArray[np.generic], ...]

try:
    from bandmate import _depthformer
except ImportError:  # not built: MLX does it all
    _depthformer = None  # type: ignore[assignment]

BUILT = _depthformer is not None


def usable(depthformer: Depthformer) -> bool:
    """Whether this model would run on a CPU, and the native runner can do it."""
    on_cpu = mx.default_device() == mx.Device(mx.cpu)
    form = depthformer.form
    held = form.dtype in (mx.float32, mx.bfloat16) and form.bits in (0, BYTE)
    return _depthformer is not None and on_cpu and held


def _shared(held: Held) -> Shared:
    """A matrix's memory as numpy sees it (bfloat16 as uint16, packed bytes as uint8 beside copies
    of their scales and biases); vectors in float32."""
    if isinstance(held, tuple):
        packed, scales, biases = held
        return np.array(packed, copy=False).view(np.uint8), _float32(scales), _float32(biases)
    array = held
    if array.dtype == mx.bfloat16:
        array = array.view(mx.uint16) if array.ndim > 1 else array.astype(mx.float32)
        mx.eval(array)
    return np.array(array, copy=False)


def _float32(array: mx.array) -> NDArray[np.generic]:
    return np.array(array.astype(mx.float32) if array.dtype == mx.bfloat16 else array)


class CpuRunner:
    """Runs frames of a depthformer whose weights are float32, bfloat16 or 8-bit.

    It computes in float32 in any case: smaller weights are less to read from memory, which is what
    takes the time. Its states are those of the MLX code, in numpy and float32.
    """

    def __init__(self, depthformer: Depthformer):
        """Shares the weights' memory with `depthformer`, which must be `usable`."""
        spec, layout = depthformer.spec, depthformer.layout
        sizes = {
            "channels": layout.channels,
            "style_levels": layout.spec.style_levels,
            "encoder_width": spec.encoder_width,
            "codebooks": spec.codebooks,
            "codebook_size": spec.codebook_size,
            "reserved": RESERVED,
            "window": spec.temporal.past + 1,
            "cross_window": spec.temporal.cross_past + 1,
        }
        for name, stack in (("temporal", spec.temporal), ("depth", spec.depth)):
            sizes |= {
                f"{name}_layers": stack.layers,
                f"{name}_width": stack.width,
                f"{name}_heads": stack.heads,
                f"{name}_head_dim": stack.head_dim,
            }
        arrays = {name: _shared(array) for name, array in depthformer.named_arrays().items()}
        self._model = depthformer
        self._runner = _depthformer.Depthformer(sizes, arrays, spec.soft_cap, EPSILON, threads())

    def init_state(self, rows: int) -> dict[str, Any]:
        """As `Depthformer.init_state`."""
        state: dict[str, Any] = tree_map(_float32, self._model.init_state(rows))
        return state

    def frame(
        self,
        tokens: NDArray[np.int32],
        noise: NDArray[np.float32],
        temperature: NDArray[np.float32],
        top_k: NDArray[np.int32],
        scales: NDArray[np.float32],
        state: dict[str, Any],
        seen: dict[str, NDArray[np.float32]] | None = None,
    ) -> tuple[NDArray[np.int32], dict[str, Any]]:
        """As `Depthformer.frame`, all codebooks.

        Args:
            seen: takes what the frame went through: `temporal_out` [rows, width] and `logits`
                [codebooks, rows, codebook_size], soft-capped and not guided.
        """
        if seen is not None:
            spec, rows = self._model.spec, len(state["previous"])
            seen["temporal_out"] = np.empty((rows, spec.temporal.width), np.float32)
            seen["logits"] = np.empty((spec.codebooks, rows, spec.codebook_size), np.float32)
        sessions = len(temperature)
        before = [
            array
            for kind in ("", "cross_")
            for pair in zip(state[kind + "keys"], state[kind + "values"], strict=True)
            for array in pair
        ]
        after = [np.empty_like(array) for array in before]
        codes = np.empty((sessions, self._model.spec.codebooks), np.int32)
        following = np.empty_like(state["previous"])
        self._runner.frame(
            tokens,
            noise,
            temperature,
            top_k,
            scales,
            state["previous"],
            state["frames"],
            state.get("last", state["previous"]),
            state.get("hold", np.ones(sessions, np.float32)),
            state.get("rise", np.full(sessions, FREE_RISE, np.float32)),
            before,
            after,
            codes,
            following,
            shares=state.get("shares"),
            **(seen or {}),
        )
        layers = len(state["keys"])
        own, cross = after[: 2 * layers], after[2 * layers :]
        return codes, {
            "previous": following,
            "frames": state["frames"] + 1,
            "keys": own[0::2],
            "values": own[1::2],
            "cross_keys": cross[0::2],
            "cross_values": cross[1::2],
        }

    def forced_frame(
        self, tokens: NDArray[np.int32], codes: NDArray[np.int32], state: dict[str, Any]
    ) -> dict[str, Any]:
        """As `Depthformer.forced_frame`.

        The native frame is run whole and its own codes are dropped: they reach nothing but
        `previous`.
        """
        spec = self._model.spec
        sessions, rows, _ = tokens.shape
        _, new = self.frame(
            tokens,
            np.zeros((sessions, spec.codebooks, spec.codebook_size), np.float32),
            np.zeros(sessions, np.float32),
            np.ones(sessions, np.int32),
            np.zeros((sessions, 2), np.float32),
            state,
        )
        ids = np.array(self._model.ids(mx.array(codes)), np.int32)
        return {**new, "previous": np.repeat(ids, rows, axis=0)}
