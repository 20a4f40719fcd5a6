# SPDX-License-Identifier: GPL-3.0-or-later
"""A depthformer and a codec together, as the engine's `Model`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.batching import Batched, gather, scatter
from bandmate.models.depthformer import cpu
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.sampling import session_noise
from bandmate.models.interface import FrameControls, FrameSpec, PrefillError, StateError
from bandmate.models.state_arrays import Arrays, check_arrays, from_arrays, to_arrays

LANGUAGE, CODEC = "language", "codec"  # first part of the names of a state's arrays


class Codec(Protocol):
    """Turns codes into sound, frame by frame. State lives outside."""

    def init_state(self) -> Any:
        """A fresh state of one session."""
        ...

    def decode(
        self, codes: NDArray[np.int32], states: Sequence[Any]
    ) -> tuple[NDArray[np.float32], list[Any]]:
        """codes [n, codebooks], 0..codebook_size - 1, and n states -> audio [n, F, channels]
        float32 in -1..1, and n new states."""
        ...

    def state_tree(self, state: Any) -> Any:
        """A state as dicts and lists of arrays; their integers are counts."""
        ...

    def state_from_tree(self, tree: Any) -> Any:
        """The state of such a tree."""
        ...


class ClipEncoder(Protocol):
    """Turns sound into codes."""

    def codes(self, audio: NDArray[np.float32] | None) -> Generator[None, None, NDArray[np.int32]]:
        """As `interface.Prefillable.encode_clip`."""
        ...


def step_function(depthformer: Depthformer) -> Any:
    """The MLX function of one frame, compiled where that is quick.

    On CPUs, MLX compiles through the system's C++ compiler: minutes, for something that may not be
    installed.
    """
    on_cpu = mx.default_device() == mx.Device(mx.cpu)
    return depthformer.frame if on_cpu else mx.compile(depthformer.frame)


@dataclass(frozen=True)
class SessionState:
    """What one session carries from frame to frame."""

    language: Batched
    codec: Any


class CodecLanguageModel:
    """Implements `interface.Model` with a depthformer and a codec.

    Attributes:
        spec: the frame grid.
        logit_guidance: guide logits too (three rows a session), not only by conditioning tokens.

    An encoder is optional and only loaded by the first clip.
    """

    def __init__(
        self,
        spec: FrameSpec,
        depthformer: Depthformer,
        codec: Codec,
        *,
        logit_guidance: bool = False,
        load_encoder: Callable[[], ClipEncoder] | None = None,
    ):
        self.spec = spec
        self.logit_guidance = logit_guidance
        self._load_encoder = load_encoder
        self._encoder: ClipEncoder | None = None
        self.depthformer = depthformer
        self.codec = codec
        self._cpu = cpu.CpuRunner(depthformer) if cpu.usable(depthformer) else None
        self._frame = step_function(depthformer)

    def init_state(self) -> SessionState:
        """A fresh session: no codes before, nothing in the caches, the codec silent."""
        rows = 3 if self.logit_guidance else 1
        runner = self._cpu or self.depthformer
        return SessionState(Batched(runner.init_state(rows), 0, 1), self.codec.init_state())

    def step(
        self, controls: Sequence[FrameControls], states: Sequence[SessionState]
    ) -> tuple[list[NDArray[np.float32]], list[SessionState]]:
        """Generates one frame for each session (see `interface.Model.step`)."""
        codes, language = self.generate(controls, [state.language for state in states])
        audio, codec = self.codec.decode(codes, [state.codec for state in states])
        new = [SessionState(*pair) for pair in zip(language, codec, strict=True)]
        return list(audio), new

    def generate(
        self, controls: Sequence[FrameControls], states: Sequence[Batched]
    ) -> tuple[NDArray[np.int32], list[Batched]]:
        """The language model's part of a step: codes [n, codebooks] and new states."""
        spec = self.depthformer.spec
        tokens = self.depthformer.layout.tokens(controls)
        rows = self._rows(tokens)
        noise = [
            session_noise(c.seed, c.frame_index + c.noise_shift, spec.codebooks, spec.codebook_size)
            for c in controls
        ]
        inputs = (
            np.ascontiguousarray(rows),
            np.stack(noise),
            np.array([c.temperature for c in controls], np.float32),
            np.array([c.top_k for c in controls], np.int32),
            np.array([c.guidance[:2] for c in controls], np.float32),
        )
        if self._cpu is not None:
            codes, tree = self._cpu.frame(*inputs, gather(states))
            return codes, scatter(tree, len(states))
        result, tree = self._frame(*map(mx.array, inputs), gather(states))
        mx.eval(result, tree)
        return np.array(result), scatter(tree, len(states))

    def encode_clip(
        self, audio: NDArray[np.float32] | None
    ) -> Generator[None, None, NDArray[np.int32]]:
        """See `interface.Prefillable`."""
        if self._encoder is None:
            if self._load_encoder is None:
                raise PrefillError("This model cannot go on from sound: it has no encoder.")
            self._encoder = self._load_encoder()
            yield
        return (yield from self._encoder.codes(audio))

    def prefill(
        self, controls: FrameControls, codes: NDArray[np.int32]
    ) -> Generator[None, None, SessionState]:
        """See `interface.Prefillable`.

        The last frame's codes are what the next frame starts from; they are not in the caches yet.
        """
        rows = self._rows(self.depthformer.layout.tokens([controls]))
        fresh = self.init_state()
        language, codec = fresh.language.own_tree(), fresh.codec
        first = np.array(self.depthformer.ids(mx.array(codes[:1])), np.int32)
        first = np.repeat(first, rows.shape[1], axis=0)
        language["previous"] = first if self._cpu is not None else mx.array(first)
        for now, following in itertools.pairwise(codes):
            if self._cpu is not None:
                language = self._cpu.forced_frame(rows, following[None], language)
            else:
                language = self.depthformer.forced_frame(
                    mx.array(rows), mx.array(following[None]), language
                )
                mx.eval(language)
            _, (codec,) = self.codec.decode(now[None], [codec])
            yield
        return SessionState(Batched(language, 0, 1), codec)

    def _rows(self, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
        """Conditioning ids [n, channels] -> [n, rows, channels]."""
        layout = self.depthformer.layout
        return layout.negatives(tokens) if self.logit_guidance else tokens[:, None]

    def state_arrays(self, state: SessionState) -> Arrays:
        """See `interface.Resumable`."""
        return {
            **to_arrays(state.language.own_tree(), LANGUAGE),
            **to_arrays(self.codec.state_tree(state.codec), CODEC),
        }

    def state_from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> SessionState:
        """See `interface.Resumable`."""
        fresh = self.init_state()
        check_arrays(arrays, self.state_arrays(fresh))
        # These become places in tables: the native code does not look twice.
        last = arrays[f"{LANGUAGE}.previous"]
        if last.min() < 0 or last.max() >= self.depthformer.vocabulary:
            raise StateError(f"The state's array '{LANGUAGE}.previous' holds codes out of range.")
        language = from_arrays(arrays, fresh.language.own_tree(), LANGUAGE)
        codec = from_arrays(arrays, self.codec.state_tree(fresh.codec), CODEC)
        return SessionState(Batched(language, 0, 1), self.codec.state_from_tree(codec))
