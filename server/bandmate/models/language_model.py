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

from bandmate.models.batching import Batched, gather, scatter, with_rows
from bandmate.models.depthformer import cpu
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.sampling import FREE_RISE, session_noise
from bandmate.models.depthformer.vocabulary import START
from bandmate.models.interface import (
    NOTE_EITHER,
    FrameControls,
    FrameSpec,
    PrefillError,
    StateError,
)
from bandmate.models.state_arrays import Arrays, check_arrays, from_arrays, to_arrays

# Names of a session's rows that stand for no prompt: style masked, notes masked. The others are
# named after their prompts' slots.
NO_STYLE, NO_NOTES = -1, -2
GUIDED = (0, NO_STYLE, NO_NOTES)
BATCH_SIZES = (1, 2, 4, 8)  # one compiled graph each
LANGUAGE, CODEC = "language", "codec"  # first part of the names of a state's arrays
ROWS = "rows"  # the array that names a session's rows
MOST_ROWS = 16  # of a session: more than there are prompts


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

    A session has one row; three while its logits are guided (see `FrameControls`); and in models
    that play what they expect, one of each prompt of a blend, whose expectations are mixed: codes
    name a style in between, but a model goes from one style to the other at once. An encoder is
    optional and only loaded by the first clip.
    """

    def __init__(
        self,
        spec: FrameSpec,
        depthformer: Depthformer,
        codec: Codec,
        *,
        load_encoder: Callable[[], ClipEncoder] | None = None,
    ):
        self.spec = spec
        self._load_encoder = load_encoder
        self._encoder: ClipEncoder | None = None
        self.depthformer = depthformer
        self.codec = codec
        self._cpu = cpu.CpuRunner(depthformer) if cpu.usable(depthformer) else None
        self._frame = step_function(depthformer)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The sizes that are compiled; empty where any size costs nothing extra."""
        on_cpu = mx.default_device() == mx.Device(mx.cpu)
        return () if on_cpu else BATCH_SIZES

    def init_state(self) -> SessionState:
        """A fresh session: no codes before, nothing in the caches, the codec silent."""
        return self._fresh_state((0,))

    def _fresh_state(self, names: tuple[int, ...]) -> SessionState:
        runner = self._cpu or self.depthformer
        language = Batched(runner.init_state(len(names)), 0, 1, names)
        return SessionState(language, self.codec.init_state())

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
        """The language model's part of a step: codes [n, codebooks] and new states.

        Sessions with as many rows of the same kind are a batch of their own.
        """
        codes = np.empty((len(controls), self.depthformer.spec.codebooks), np.int32)
        names = [self._row_names(c) for c in controls]
        kinds = [(c.logit_guidance, len(own)) for c, own in zip(controls, names, strict=True)]
        after: dict[int, Batched] = {}
        for kind in sorted(set(kinds)):
            places = [i for i, own in enumerate(kinds) if own == kind]
            before = [with_rows(states[i], names[i]) for i in places]
            codes[places], new = self._generate([controls[i] for i in places], before)
            after |= zip(places, new, strict=True)
        return codes, [after[place] for place in range(len(controls))]

    def _row_names(self, controls: FrameControls) -> tuple[int, ...]:
        if controls.logit_guidance:
            return GUIDED
        if self.depthformer.spec.expects and controls.blend:
            return tuple(share.slot for share in controls.blend)
        return (0,)

    def _generate(
        self, controls: Sequence[FrameControls], states: Sequence[Batched]
    ) -> tuple[NDArray[np.int32], list[Batched]]:
        spec = self.depthformer.spec
        rows = self._rows(controls)
        noise = [
            session_noise(c.seed, c.frame_index + c.noise_shift, spec.codebooks, spec.codebook_size)
            for c in controls
        ]
        inputs = (
            np.ascontiguousarray(rows),
            np.stack(noise),
            np.array([c.temperature for c in controls], np.float32),
            # A rest's likeliest code is silence. A mean that has something loud in it is not.
            np.array([1 if spec.expects and c.rests else c.top_k for c in controls], np.int32),
            np.array([c.guidance[:2] for c in controls], np.float32),
        )
        tree = gather(states)
        before = self._told(controls, tree, rows.shape[1]) | self._held(controls, tree)
        before |= self._mixed(controls, rows.shape[1])
        names = [state.names for state in states]
        if self._cpu is not None:
            codes, tree = self._cpu.frame(*inputs, before)
            return codes, scatter(tree, names)
        result, tree = self._frame(*map(mx.array, inputs), before)
        mx.eval(result, tree)
        return np.array(result), scatter(tree, names)

    def _told(self, controls: Sequence[FrameControls], tree: Any, rows: int) -> Any:
        """The batch's state as the model is told it: some models forget what the notes tell."""
        if not self.depthformer.spec.forgets:
            return tree
        free = [not c.anew and c.notes.min() < 0 for c in controls]
        if all(free):
            return tree
        kept = np.repeat(free, rows)[:, None].astype(np.int32)
        if self._cpu is None:
            kept = mx.array(kept)
        return {**tree, "previous": tree["previous"] * kept + START * (1 - kept)}

    def _held(self, controls: Sequence[FrameControls], tree: Any) -> dict[str, Any]:
        """Which codes may be kept from the last frame, where they are picked near a mean."""
        if not self.depthformer.spec.expects:
            return {}
        new, steady = self.depthformer.spec.hold
        most = self.depthformer.spec.rise
        rises = [most is None or c.anew or not _all_told(c.notes) for c in controls]
        held = {
            "hold": np.array([new if c.anew else steady for c in controls], np.float32),
            "rise": np.array([FREE_RISE if free else most for free in rises], np.float32),
        }
        if self._cpu is None:
            held = {name: mx.array(values) for name, values in held.items()}
        return {"last": tree["previous"], **held}

    def _mixed(self, controls: Sequence[FrameControls], rows: int) -> dict[str, Any]:
        """How much each row of a blend counts."""
        if rows == 1 or controls[0].logit_guidance:
            return {}
        shares = np.array([[share.weight for share in c.blend] for c in controls], np.float32)
        return {"shares": shares if self._cpu is not None else mx.array(shares)}

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
        rows = self._rows([controls])
        names = self._row_names(controls)
        fresh = self._fresh_state(names)
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
        return SessionState(Batched(language, 0, 1, names), codec)

    def _rows(self, controls: Sequence[FrameControls]) -> NDArray[np.int32]:
        """Conditioning ids [n, rows, channels] of controls whose rows are of one kind."""
        layout = self.depthformer.layout
        tokens = layout.tokens(controls)
        if controls[0].logit_guidance:
            return layout.negatives(tokens)
        if len(self._row_names(controls[0])) == 1:
            return tokens[:, None]
        return layout.blends(tokens, [[share.codes for share in c.blend] for c in controls])

    def state_arrays(self, state: SessionState) -> Arrays:
        """See `interface.Resumable`."""
        return {
            ROWS: np.array(state.language.names, np.int32),
            **to_arrays(state.language.own_tree(), LANGUAGE),
            **to_arrays(self.codec.state_tree(state.codec), CODEC),
        }

    def state_from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> SessionState:
        """See `interface.Resumable`."""
        names = arrays.get(ROWS, np.zeros(0))
        if (
            names.dtype != np.int32
            or names.ndim != 1
            or not 1 <= len(set(names.tolist())) == names.size <= MOST_ROWS
        ):
            raise StateError(f"The state's array '{ROWS}' does not name rows.")
        fresh = self._fresh_state(tuple(names.tolist()))
        check_arrays(arrays, self.state_arrays(fresh))
        # These become places in tables: the native code does not look twice.
        last = arrays[f"{LANGUAGE}.previous"]
        if last.min() < 0 or last.max() >= self.depthformer.vocabulary:
            raise StateError(f"The state's array '{LANGUAGE}.previous' holds codes out of range.")
        language = from_arrays(arrays, fresh.language.own_tree(), LANGUAGE)
        codec = from_arrays(arrays, self.codec.state_tree(fresh.codec), CODEC)
        state = Batched(language, 0, 1, fresh.language.names)
        return SessionState(state, self.codec.state_from_tree(codec))


def _all_told(notes: NDArray[np.int32]) -> bool:
    """Whether no note can begin that is not told to begin."""
    return bool(notes.min() >= 0 and not (notes == NOTE_EITHER).any())
