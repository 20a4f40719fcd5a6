# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a bundle through the whole system, as `bandmate render` does; it is loaded once."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bandmate.engine.engine import Engine
from bandmate.engine.loading import LoadedModel, Measure
from bandmate.engine.stream import OfflineStream
from bandmate.errors import BandmateError
from bandmate.models.interface import StyleEncoder
from bandmate.session.events import Event
from bandmate.session.midi import read_midi
from bandmate.session.offline import RenderJob, render
from bandmate.session.parameters import STYLE_SLOTS, Parameter
from bandmate.session.session import Session

Floats = NDArray[np.float32]
Style = tuple[Floats, float]

TAIL_SECONDS = 2.0  # after a file's last event; what `bandmate render` adds


class Player:
    """A loaded bundle; use as a context manager."""

    def __init__(self, model: str) -> None:
        self._name = model
        self._engine = Engine(measure=Measure.NEVER)
        self.model: LoadedModel

    def __enter__(self) -> Player:
        self._engine.__enter__()
        try:
            self._load()
        except BaseException:
            self._engine.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.__exit__(*error)

    def _load(self) -> LoadedModel:
        """The model; it is loaded again when the engine has let it go for having been idle."""
        self.model = self._engine.load(self._name).result()
        return self.model

    @property
    def rate(self) -> int:
        """Samples a second."""
        return self.model.bundle.frame.sample_rate

    @property
    def has_styles(self) -> bool:
        """Whether the model can be told what to sound like."""
        return self.model.encoder is not None

    def text(self, prompt: str) -> Floats:
        """A text prompt's embedding."""
        return self._encoder().encode_text(prompt)

    def sound(self, audio: Floats, rate: int) -> Floats:
        """An audio prompt's embedding."""
        return self._encoder().encode_audio(audio, rate)

    def _encoder(self) -> StyleEncoder:
        if self.model.encoder is None:
            raise BandmateError(f"The model {self._name!r} has no styles to grade.")
        return self.model.encoder

    def render(
        self, midi: Path, style: str, seeds: Sequence[int], temperature: float | None = None
    ) -> list[Floats]:
        """A piece once with each seed, all at the same time: what `bandmate render` writes.

        Args:
            style: text; a model without styles plays as it does.

        Returns:
            audio [samples, channels] for each seed; sample 0 is the file's time 0.
        """
        model = self._load()
        clip = read_midi(midi, self.rate)
        samples = clip.length_samples + round(TAIL_SECONDS * self.rate)
        parameters = {} if temperature is None else {Parameter.TEMPERATURE: temperature}
        styles = [(style, 1.0)] if self.has_styles else []

        def one(seed: int) -> Floats:
            frames: list[Floats] = []
            job = RenderJob(clip.events, samples, seed, styles, parameters)
            render(self._engine, model, job, frames.append)
            return self._trimmed(frames, samples)

        with ThreadPoolExecutor(len(seeds)) as pool:
            return list(pool.map(one, seeds))

    def play(
        self,
        events: Sequence[Event],
        samples: int,
        styles: Sequence[Style],
        seed: int = 1,
        parameters: Mapping[Parameter, float] | None = None,
    ) -> Floats:
        """Events in order of time with blended embeddings: audio [samples, channels]."""
        model = self._load()
        session = Session(model.bundle, model.encoder, seed)
        if self.has_styles:
            session.styles.replace({slot: e for slot, (e, _) in enumerate(styles)})
            for slot in range(STYLE_SLOTS):
                weight = styles[slot][1] if slot < len(styles) else 0.0
                session.parameters[Parameter(Parameter.STYLE_WEIGHT_0 + slot)] = weight
        for parameter, value in (parameters or {}).items():
            session.parameters[parameter] = value
        session.begin_epoch(seed)
        for event in events:
            session.push(event)
        frame = model.bundle.frame
        frames: list[Floats] = []
        count = -(-(samples + frame.delay_samples) // frame.frame_samples)
        stream = OfflineStream(session, count, frames.append)
        self._engine.attach(model, stream).result()
        try:
            stream.done.result()
        finally:
            self._engine.detach(stream).result()
        return self._trimmed(frames, samples)

    def _trimmed(self, frames: Sequence[Floats], samples: int) -> Floats:
        delay = self.model.bundle.frame.delay_samples
        return np.concatenate(frames)[delay:][:samples]
