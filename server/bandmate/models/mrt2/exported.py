# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs exported MLX functions of official models, by the same interface as our own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.depthformer.checkpoint import load_tensors
from bandmate.models.depthformer.vocabulary import ConditioningLayout
from bandmate.models.interface import FrameControls
from bandmate.models.mrt2.export import example_controls
from bandmate.models.mrt2.frame_function import KEYS, ROWS
from bandmate.models.mrt2.loading import codec_spec
from bandmate.models.mrt2.state_layout import exported_state_layout
from bandmate.models.state_arrays import check_arrays, from_arrays, to_arrays

PCM_SCALE = 32768.0
STATE = "exported"
_WORD = 2**32 - 1

Arrays = list[mx.array]


class ExportedModel:
    """Implements `interface.Model` and `interface.Resumable` with an exported function.

    Sessions are stepped one by one: the function's shapes are those of one. Guidance acts on the
    logits too, since that is in the file.

    Attributes:
        spec: the frame grid.
    """

    def __init__(self, bundle: Bundle, function: Any, state: Arrays):
        assert bundle.conditioning is not None
        assert bundle.depthformer is not None
        self.spec = bundle.frame
        self._layout = ConditioningLayout(bundle.conditioning)
        self._none_forced = mx.zeros((1, 0, bundle.depthformer.codebooks), mx.int32)
        self._function, self._state = function, state

    def init_state(self) -> Arrays:
        """The state that came with the function."""
        return list(self._state)

    def step(
        self, controls: Sequence[FrameControls], states: Sequence[Arrays]
    ) -> tuple[list[NDArray[np.float32]], list[Arrays]]:
        """Generates one frame for each session (see `interface.Model.step`)."""
        done = [self._one(*pair) for pair in zip(controls, states, strict=True)]
        return [audio for audio, _ in done], [state for _, state in done]

    def _one(self, control: FrameControls, state: Arrays) -> tuple[NDArray[np.float32], Arrays]:
        tokens = self._layout.tokens([control])[:, None]
        rows = self._layout.negatives(tokens[0])[..., : self._layout.notes.stop + 1]
        full, without_style, without_notes = (mx.array(rows[:, row : row + 1]) for row in range(3))
        scales = [mx.array([scale], mx.float32) for scale in control.guidance]
        temperature = mx.array([control.temperature], mx.float32)
        top_k = mx.array([control.top_k], mx.int32)
        inputs = [full, temperature, top_k, *scales, without_style, without_notes]
        state = [*state[:KEYS], _keys(control), *state[KEYS + 1 :]]
        audio, *new = self._function(*inputs, self._none_forced, *state)
        # A trace takes the types it was made with, also where it gives others.
        new = [array.astype(old.dtype) for array, old in zip(new, state, strict=True)]
        mx.eval(audio, new)
        frame = np.array(audio)[0].T.astype(np.float32)
        return frame / PCM_SCALE if audio.dtype == mx.int16 else frame, new

    def state_arrays(self, state: Arrays) -> dict[str, NDArray[Any]]:
        """See `interface.Resumable`."""
        return to_arrays(state, STATE)

    def state_from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
        """See `interface.Resumable`."""
        check_arrays(arrays, self.state_arrays(self._state))
        return list(from_arrays(arrays, self._state, STATE))


def _keys(control: FrameControls) -> mx.array:
    """Random keys uint32 [1, rows, 2] of a frame: a pure function of its seed and place."""
    frame = (control.frame_index + control.noise_shift) & _WORD
    words = [[(control.seed + row) & _WORD, frame] for row in range(ROWS)]
    return mx.array(np.array([words], np.uint32))


def load_exported(bundle: Bundle, path: Path, state_path: Path) -> ExportedModel:
    """Loads an exported function and its state, and tries one frame.

    Raises:
        BundleError: the state does not fit the bundle, or this MLX cannot run the function.
    """
    state = _load_state(bundle, state_path)
    try:
        function = mx.import_function(str(path))
        tried = function(*example_controls(bundle, 0), *state)
        mx.eval(tried)
    except (RuntimeError, ValueError, IndexError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise BundleError(
            f"{path}: MLX {mx.__version__} refuses this exported model ({reason}). Use its "
            f"safetensors weights: `bandmate models download {bundle.name}`."
        ) from error
    expected = (1, bundle.frame.channels, bundle.frame.frame_samples)
    if len(tried) != 1 + len(state) or tuple(tried[0].shape) != expected:
        raise BundleError(
            f"{path}: gives {len(tried)} arrays, the first of shape {list(tried[0].shape)}; "
            f"wanted {1 + len(state)} and {list(expected)}. Is it the file of another model?"
        )
    return ExportedModel(bundle, function, state)


def _load_state(bundle: Bundle, path: Path) -> Arrays:
    """The arrays of a state file in order, shapes checked; types are the file's own affair."""
    assert bundle.depthformer is not None
    codec = codec_spec(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
    layout = exported_state_layout(bundle.depthformer, codec, ROWS)
    tensors = load_tensors(path)
    for index, (shape, _) in enumerate(layout):
        name = f"state_{index}"
        if name not in tensors:
            raise BundleError(f"{path}: tensor '{name}' is missing, wanted shape {list(shape)}.")
        found = tuple(tensors[name].shape)
        if found != shape:
            raise BundleError(
                f"{path}: tensor '{name}' has shape {list(found)}, wanted {list(shape)}."
            )
    if len(tensors) > len(layout):
        raise BundleError(
            f"{path}: has {len(tensors)} tensors, wanted {len(layout)}. "
            "Is it the file of another model?"
        )
    state = [tensors[f"state_{index}"] for index in range(len(layout))]
    mx.eval(state)
    return state
