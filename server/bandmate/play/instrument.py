# SPDX-License-Identifier: GPL-3.0-or-later
"""A session played live in this process: what the plugin's audio thread does, for one program."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import Any

import mido
import numpy as np
from numpy.typing import NDArray

from bandmate.engine.overload import NeverRests
from bandmate.models.interface import FrameControls
from bandmate.session.events import Event, EventKind
from bandmate.session.midi import event_of
from bandmate.session.parameters import Parameter
from bandmate.session.session import Session

MARGIN_SECONDS = 0.01
FRAMES_AHEAD = 64
RECENT_FRAMES = 1000


class Instrument(NeverRests):
    """Implements `engine.stream.Stream`; `pull` is the audio thread's.

    Attributes:
        latency_samples: from a key to its sound, the model's delay included.
        budget_ms: what a frame may cost.
        frame_ms: recent frame times.
        underruns: frames that were not there when due.
        failure: why the stream ended by itself; empty while all is well.
    """

    def __init__(self, session: Session, budget_ms: float, block_samples: int) -> None:
        """Args:
        session: makes the conditioning.
        budget_ms: what a frame may cost.
        block_samples: most samples of a `pull`.
        """
        spec = session.spec
        seconds = budget_ms / 1e3 + MARGIN_SECONDS
        self.latency_samples = (
            spec.frame_samples
            + block_samples
            + math.ceil(seconds * spec.sample_rate)
            + spec.delay_samples
        )
        self.budget_ms = budget_ms
        self.frame_ms: deque[float] = deque(maxlen=RECENT_FRAMES)
        self.underruns = 0
        self.failure = ""
        self._session = session
        self._spec = spec
        self._lock = threading.Lock()  # the four below; held for moments
        self._played: list[tuple[float, mido.Message | Event]] = []
        self._events: list[Event] = []
        self._until = 0
        self._frames: dict[int, NDArray[np.float32]] = {}
        self._block_began = time.monotonic()
        self._missed = -1
        self._complete_at = 0.0

    def play(self, message: mido.Message) -> None:
        """Something was played just now. Any thread."""
        with self._lock:
            self._played.append((time.monotonic(), message))

    def set_parameter(self, parameter: Parameter, value: float) -> None:
        """A parameter moves now. Any thread."""
        event = Event(0, EventKind.PARAMETER, 0, int(parameter), value)
        with self._lock:
            self._played.append((time.monotonic(), event))

    def pull(self, count: int) -> NDArray[np.float32]:
        """The next samples [count, channels]. What was played since the last call lies in them.

        A key keeps its place in the block it fell into, so its delay is the same each time.
        """
        now, rate = time.monotonic(), self._spec.sample_rate
        with self._lock:
            begin = self._until
            for at, played in self._played:
                offset = min(max(0, round((at - self._block_began) * rate)), max(0, count - 1))
                event = (
                    played._replace(time=begin + offset)
                    if isinstance(played, Event)
                    else event_of(played, begin + offset)
                )
                if event is not None:
                    self._events.append(event)
            self._played.clear()
            self._block_began = now
            self._until = begin + count
            return self._read(begin, count)

    def _read(self, begin: int, count: int) -> NDArray[np.float32]:
        size = self._spec.frame_samples
        out = np.zeros((count, self._spec.channels), np.float32)
        first = begin - self.latency_samples + self._spec.delay_samples
        done = 0
        while done < count:
            index, offset = divmod(first + done, size)
            part = min(count - done, size - offset)
            frame = self._frames.get(index)
            if frame is not None:
                out[done : done + part] = frame[offset : offset + part]
            elif index >= 0 and index != self._missed:
                self._missed = index
                self.underruns += 1
            done += part
        # The model's first samples belong to a time before the first key.
        out[: max(0, self._spec.delay_samples - first)] = 0.0
        last = (first + count) // size
        for index in [index for index in self._frames if index < last]:
            del self._frames[index]
        return out

    # The engine's side: see `engine.stream.Stream`.

    def ready(self) -> bool:
        with self._lock:
            is_ready = self._until >= self._session.frame_end and len(self._frames) < FRAMES_AHEAD
        if is_ready:
            self._complete_at = time.monotonic()
        return is_ready

    def imminent(self) -> bool:
        return False

    @property
    def is_patient(self) -> bool:
        return False

    def due_seconds(self) -> float:
        spec = self._spec
        return self._complete_at + spec.frame_samples / spec.sample_rate - time.monotonic()

    def take(self) -> tuple[FrameControls, Any]:
        with self._lock:
            events, self._events = self._events, []
        for event in sorted(events, key=lambda event: event.time):
            self._session.push(event)
        return self._session.controls(), self._session.state

    def deliver(self, audio: NDArray[np.float32], state: Any, milliseconds: float) -> None:
        index = self._session.frame_index
        heard = self._session.finish(audio, state)
        with self._lock:
            self._frames[index] = heard
        self.frame_ms.append(milliseconds)

    def fail(self, reason: str) -> None:
        self.failure = reason
