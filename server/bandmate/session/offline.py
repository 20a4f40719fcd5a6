# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering events without a plugin: the same session and engine, as fast as the machine can."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bandmate.engine.engine import Engine
from bandmate.engine.loading import LoadedModel
from bandmate.engine.stream import OfflineStream
from bandmate.errors import BandmateError
from bandmate.session.events import Event
from bandmate.session.parameters import STYLE_SLOTS, Parameter
from bandmate.session.session import Session


class StyleError(BandmateError):
    """Styles that a model cannot follow."""


@dataclass(frozen=True)
class RenderJob:
    """What to render.

    Attributes:
        events: in order of time.
        length_samples: samples wanted from time 0 on; the model's delay is not counted.
        seed: random seed.
        styles: text prompts and their weights, at most STYLE_SLOTS.
        parameters: values that differ from a new session's.
    """

    events: Sequence[Event]
    length_samples: int
    seed: int = 0
    styles: Sequence[tuple[str, float]] = ()
    parameters: Mapping[Parameter, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RenderReport:
    """How a render went.

    Attributes:
        frames: frames made, those that only hold the model's delay included.
        seconds: time it took.
        rtf: real-time factor, time per time of sound: below 1 is faster than real time.
    """

    frames: int
    seconds: float
    rtf: float


def render(
    engine: Engine,
    model: LoadedModel,
    job: RenderJob,
    sink: Callable[[NDArray[np.float32]], None],
) -> RenderReport:
    """Makes all frames of a job.

    Args:
        engine: a started engine.
        model: from `engine.load`.
        job: what to render.
        sink: takes each frame [F, channels] on the inference thread. The first `delay_samples` of
            all come before time 0.

    Raises:
        BandmateError: the styles do not fit the model, a frame failed or the sink refused one.
    """
    session = Session(model.bundle, model.encoder, job.seed)
    _set_styles(session, model, job.styles)
    for parameter, value in job.parameters.items():
        session.parameters[parameter] = value
    session.begin_epoch(job.seed)
    for event in job.events:
        session.push(event)
    spec = model.bundle.frame
    frames = -(-(job.length_samples + spec.delay_samples) // spec.frame_samples)
    stream = OfflineStream(session, frames, sink)
    begin = time.perf_counter()
    engine.attach(model, stream).result()
    try:
        stream.done.result()
    except CancelledError as error:
        raise BandmateError("The render was cancelled.") from error
    finally:
        engine.detach(stream).result()
    seconds = time.perf_counter() - begin
    sound = frames * spec.frame_samples / spec.sample_rate
    return RenderReport(frames, seconds, seconds / sound if sound > 0.0 else 0.0)


def _set_styles(session: Session, model: LoadedModel, styles: Sequence[tuple[str, float]]) -> None:
    if not styles:
        return
    if model.encoder is None:
        raise StyleError(f"The model {model.bundle.name!r} has no styles. Leave --style away.")
    if len(styles) > STYLE_SLOTS:
        raise StyleError(f"At most {STYLE_SLOTS} styles can be blended, not {len(styles)}.")
    session.styles.replace(
        {slot: model.encoder.encode_text(text) for slot, (text, _) in enumerate(styles)}
    )
    for slot in range(STYLE_SLOTS):
        weight = styles[slot][1] if slot < len(styles) else 0.0
        session.parameters[Parameter(Parameter.STYLE_WEIGHT_0 + slot)] = weight
