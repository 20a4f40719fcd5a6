# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame for several streams in one step of their model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.engine.stream import Stream
from bandmate.models.interface import FrameControls, Model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A stream's frame to make. `state` None asks for a fresh one."""

    stream: Stream
    controls: FrameControls
    state: Any


@dataclass(frozen=True)
class Made:
    """A frame [F, channels] that was made, and the model's new state."""

    stream: Stream
    audio: NDArray[np.float32]
    state: Any


@dataclass(frozen=True)
class Failed:
    """A frame that could not be made."""

    stream: Stream
    error: Exception


def run_batch(model: Model, jobs: Sequence[Job]) -> list[Made | Failed]:
    """Makes the frames together; if that fails each alone, so that one fault costs one stream."""
    try:
        return list(_step(model, jobs))
    except Exception as error:
        if len(jobs) == 1:
            return [Failed(jobs[0].stream, error)]
    # Models do not modify the states they are given: stepping again is the same step.
    log.warning("a batch of %d failed; stepping its streams one by one", len(jobs))
    return [result for job in jobs for result in run_batch(model, [job])]


def _step(model: Model, jobs: Sequence[Job]) -> list[Made]:
    controls = [job.controls for job in jobs]
    states = [model.init_state() if job.state is None else job.state for job in jobs]
    # A model that compiles one graph per batch size names the sizes it has; fill up to one.
    sizes: Sequence[int] = getattr(model, "batch_sizes", ())
    spare = next((size for size in sizes if size >= len(jobs)), len(jobs)) - len(jobs)
    frames, after = model.step([*controls, *controls[:1] * spare], [*states, *states[:1] * spare])
    made = []
    for job, audio, state in zip(jobs, frames, after, strict=False):
        if audio.shape != (model.spec.frame_samples, model.spec.channels):
            raise ValueError(f"a frame of shape {audio.shape} came out of the model")
        if not np.isfinite(audio).all():
            raise ValueError("the model's sound is not a number")
        made.append(Made(job.stream, audio, state))
    return made
