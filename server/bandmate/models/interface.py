# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model family offers to the engine: arrays in, arrays and new state out.

A model is pure: no clock, thread, socket or file except its weights. State lives outside the
model, so one set of weights serves any number of sessions.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError

PITCHES = 128  # MIDI pitches, one conditioning channel each

# Raw values of a pitch's channel in one frame.
NOTE_MASKED = -1  # the model is free
NOTE_OFF = 0
NOTE_SUSTAIN = 1  # sounding, not started in this frame
NOTE_ONSET = 2  # started in this frame, place inside the frame not told
NOTE_EITHER = 3  # sounding; the model may treat it as onset or continuation ("strum")
# From here on: onset in part p of the frame, struck at velocity level v; 4 + v * onset_phases + p;
# then how long a note has sounded or has been over (note_history.py). Only where a bundle has them.
NOTE_ONSET_PHASE_0 = 4

DRUMS_MASKED = -1
DRUMS_OFF = 0
DRUMS_ON = 1


@dataclass(frozen=True)
class FrameSpec:
    """The grid a model lives on. All counts are samples at `sample_rate`.

    Attributes:
        sample_rate: model sample rate in Hz.
        frame_samples: F, samples a step puts out per channel.
        channels: audio channels.
        delay_samples: D, the model's own constant delay: sample i of frame k belongs to stream
            time `k * frame_samples + i - delay_samples`.
    """

    sample_rate: int
    frame_samples: int
    channels: int
    delay_samples: int


@dataclass(frozen=True)
class StampedNote:
    """A note event at its own sample inside the frame, for exact models such as the test tone.

    Attributes:
        offset_samples: 0 <= offset < F, from the frame's start.
        pitch: MIDI pitch 0..127.
        velocity: 1..127, or 0 for note off.
    """

    offset_samples: int
    pitch: int
    velocity: int


class StyleShare(NamedTuple):
    """One prompt's part in a blend.

    Attributes:
        slot: the prompt's place; it names the prompt from frame to frame.
        weight: 0 < weight <= 1; a blend's weights add up to 1.
        codes: int32 [style_levels], raw style codes of this prompt alone.
    """

    slot: int
    weight: float
    codes: NDArray[np.int32]


@dataclass(frozen=True)
class FrameControls:
    """The conditioning of one session for one frame.

    Attributes:
        style: int32 [style_levels], raw style codes, -1 where masked.
        notes: int32 [128], raw note values (see the NOTE_ constants).
        drums: raw drum value, -1 masked, 0 none, 1 drums.
        guidance: scales for style, notes and drums.
        temperature: 0 is greedy.
        top_k: candidates kept per code, at least 1.
        seed: the session's seed.
        frame_index: k, counted from the start of the epoch. Random numbers are keyed by (seed, k).
        events: the frame's note events in order of time.
        logit_guidance: guide the logits too, not only by telling the scales to the model. It takes
            three times the work; models that cannot ignore it.
        noise_shift: added to k where random numbers are keyed. A stream that goes on from a saved
            state goes on in its random numbers too.
        anew: a note begins or ends in this frame, or one began in the frame before.
        rests: every pitch is told, none sounds, and the last one ended some time ago.
        blend: the prompts that `style` was blended of, in order of their slots; empty where the
            prompts cannot be told. Models that play a blend as one go by these, others by `style`.
    """

    style: NDArray[np.int32]
    notes: NDArray[np.int32]
    drums: int
    guidance: tuple[float, float, float]
    temperature: float
    top_k: int
    seed: int
    frame_index: int
    events: tuple[StampedNote, ...] = field(default=())
    noise_shift: int = 0
    logit_guidance: bool = False
    anew: bool = False
    rests: bool = False
    blend: tuple[StyleShare, ...] = field(default=())


class Model(Protocol):
    """One loaded bundle. All methods are called on the engine's inference thread only."""

    spec: FrameSpec

    def init_state(self) -> Any:
        """A fresh state of one session (opaque to callers)."""
        ...

    def step(
        self, controls: Sequence[FrameControls], states: Sequence[Any]
    ) -> tuple[list[NDArray[np.float32]], list[Any]]:
        """Generates one frame for each session of a batch.

        Args:
            controls: one entry per session, batch of n.
            states: the sessions' states, same order. Not modified.

        Returns:
            n frames [F, channels] float32 in -1..1, and n new states.
        """
        ...


class StateError(BandmateError):
    """Arrays that are no state of a model. The message names the array and says what is wrong."""


class PrefillError(BandmateError):
    """A clip that a model cannot go on from. The message says what to do."""


@runtime_checkable
class Resumable(Protocol):
    """A model whose states can be kept outside the process. Inference thread only, as `Model`."""

    def state_arrays(self, state: Any) -> dict[str, NDArray[Any]]:
        """A state as plain arrays by name; they may share its memory and must not be modified."""
        ...

    def state_from_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """The state that `state_arrays` gave.

        Raises:
            StateError: an array is missing, extra, misshapen, of another type or out of range.
        """
        ...


@runtime_checkable
class Prefillable(Protocol):
    """A model that can go on from sound it did not make. Inference thread only, as `Model`.

    The generators do a piece of at most about a frame's work before each yield, so that others'
    frames can be made in between; their return value is the result.
    """

    def encode_clip(
        self, audio: NDArray[np.float32] | None
    ) -> Generator[None, None, NDArray[np.int32]]:
        """The codes of a clip, as a state can be prefilled with them.

        Args:
            audio: [samples, channels] at the model's rate; None for silence.

        Returns:
            codes [frames, codebooks], without the clip's edges where they cannot be told well.

        Raises:
            PrefillError: the clip is too short, or the model cannot encode.
        """
        ...

    def prefill(
        self, controls: FrameControls, codes: NDArray[np.int32]
    ) -> Generator[None, None, Any]:
        """The state of a session that has played these codes [frames, codebooks].

        Args:
            controls: the conditioning under which it played them.
        """
        ...


class StyleEncoder(Protocol):
    """Turns prompts into a model's style codes. Called on the prompt pool's threads."""

    dim: int

    def encode_text(self, text: str) -> NDArray[np.float32] | NDArray[np.int32]:
        """Embedding [dim] of a text prompt; the empty text is legal.

        A text that names style codes themselves gives these, as int32 [style_levels].
        """
        ...

    def encode_audio(self, audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        """Embedding [dim] of audio [samples, channels]."""
        ...

    def quantise(self, embedding: NDArray[np.float32]) -> NDArray[np.int32]:
        """Raw style codes [style_levels] of an embedding [dim] (possibly a blend of several)."""
        ...
