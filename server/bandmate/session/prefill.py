# SPDX-License-Identifier: GPL-3.0-or-later
"""Going on from sound: a clip, or silence, put before a stream as if it had played it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError
from bandmate.models.bundle import Bundle
from bandmate.models.interface import FrameControls, FrameSpec, Model, Prefillable, PrefillError
from bandmate.session.session import ResumePoint

SECONDS_MAXIMUM = 28  # of a clip; what is older has left the models' memory


class ClipError(BandmateError):
    """A sound file that cannot be read."""


def read_clip(
    path: Path, spec: FrameSpec, seconds: float = SECONDS_MAXIMUM, *, from_start: bool = False
) -> NDArray[np.float32]:
    """The end of a sound file, at the model's rate and channels. Any thread; takes its time.

    Args:
        path: the file.
        spec: the model's grid.
        seconds: at most so much of it.
        from_start: its beginning instead.

    Returns:
        [samples, channels].

    Raises:
        ClipError: the file cannot be read, or holds values that are no sound.
    """
    from pedalboard.io import AudioFile  # here: it takes a while, and few sessions ever need it

    try:
        if not path.is_file():  # a pipe would be waited for
            raise ClipError(f"There is no sound file {path}. Choose another.")
        with AudioFile(str(path)) as file:
            wanted = int(seconds * file.samplerate)
            file.seek(0 if from_start else max(0, file.frames - wanted))
            resampled = file.resampled_to(spec.sample_rate)
            audio = resampled.read(int(seconds * spec.sample_rate))
    except (OSError, ValueError, RuntimeError) as error:
        raise ClipError(
            f"{path} cannot be read as sound ({str(error).splitlines()[0]}). Choose another file."
        ) from error
    if not np.isfinite(audio).all():
        raise ClipError(f"{path} holds values that are no sound. Choose another file.")
    if len(audio) > spec.channels:
        audio = audio.mean(axis=0, keepdims=True)
    if len(audio) < spec.channels:
        audio = np.repeat(audio[:1], spec.channels, axis=0)
    return np.ascontiguousarray(audio.T, np.float32)


def prefill(
    bundle: Bundle, model: Model, controls: FrameControls, audio: NDArray[np.float32] | None
) -> Generator[None, None, ResumePoint]:
    """Makes a stream that has played a clip. Inference thread, in pieces of about a frame's work.

    Args:
        controls: from `Session.prefill_controls`. Silence is of no style.
        audio: [samples, channels] at the model's rate; None for silence.

    Raises:
        BandmateError: the model cannot go on from sound, or not from this.
    """
    if not isinstance(model, Prefillable):
        raise PrefillError(f"The model {bundle.name!r} cannot go on from sound. Choose another.")
    if audio is None:
        controls = replace(controls, style=np.full_like(controls.style, -1))
    codes = yield from model.encode_clip(audio)
    return ResumePoint((yield from model.prefill(controls, codes)))
