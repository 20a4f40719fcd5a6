# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server remembers of one open session."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from bandmate import _protocol as wire
from bandmate.engine.loading import LoadedModel
from bandmate.link import messages
from bandmate.link.stream import SegmentStream
from bandmate.models.bundle import Bundle
from bandmate.session.session import Session
from bandmate.session.takes.recorder import TakeRecorder

ENOUGH_FRAMES = 250  # ten seconds: fewer say little about a machine
ROOM_MS = (
    4.0  # what the plugin adds to the budget by itself (core/latency.hpp, margin_automatic_ms)
)


@dataclass(eq=False)
class OpenSession:
    """One session.

    Attributes:
        number: by which the client names it.
        client: ZeroMQ identity of the client that opened it.
        bundle: its model.
        segment: attached shared memory.
        host: the DAW, for the log.
        loaded: the model, once it is loaded.
        session: its frames, once the model is loaded.
        stream: the same for the engine.
        take: keeps what is played, once the model is loaded.
        tasks: requests that take their time and are not answered yet.
        cancelled: set when the client gives them up.
        newest_revision: of the prompts asked for.
        revision: of the prompts in force.
        note: what went wrong last, for the plugin's status line.
        heartbeat: the plugin's count when it last changed.
        silent_seconds: how long ago that was, by the server's own beats.
        ended: set when the session is over, for work that takes its time.
    """

    number: int
    client: bytes
    bundle: Bundle
    segment: wire.Segment
    host: str
    loaded: LoadedModel | None = None
    session: Session | None = None
    stream: SegmentStream | None = None
    take: TakeRecorder | None = None
    tasks: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event)
    newest_revision: int = 0
    revision: int = 0
    note: str = ""
    heartbeat: int = 0
    silent_seconds: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def times(self) -> str:
        """How long its live frames took, for the log: milliseconds at 50, 99 and 99.9 %."""
        if self.stream is None or not self.stream.turn_ms:
            return ""
        told = []
        for name, values in (("wake-up", self.stream.wake_ms), ("frame", self.stream.turn_ms)):
            p50, p99, p999 = np.percentile(list(values), [50, 99, 99.9])
            told.append(f"{name} {p50:.2f} / {p99:.2f} / {p999:.2f}")
        return f"last {len(self.stream.turn_ms)} live frames, ms at 50 / 99 / 99.9 %: " + ", ".join(
            told
        )

    def complaint(self) -> str:
        """What to do when this machine is too slow for the model; empty when it is not."""
        if self.stream is None or self.loaded is None:
            return ""
        if len(self.stream.turn_ms) < ENOUGH_FRAMES:
            return ""
        frame = self.bundle.frame
        length_ms = frame.frame_samples / frame.sample_rate * 1e3
        p50, p99 = np.percentile(list(self.stream.turn_ms), [50, 99])
        if p50 > length_ms:
            return (
                f"This machine is too slow for {self.bundle.name}: a frame of {length_ms:.0f} ms "
                f"takes {p50:.0f} ms. Choose a smaller model, or close other programs."
            )
        if self.loaded.budget_ms and p99 > self.loaded.budget_ms + ROOM_MS:
            return (
                f"Frames take up to {p99:.0f} ms here, the latency has room for "
                f"{self.loaded.budget_ms:.0f} ms. Choose the latency mode safe, or close other "
                "programs."
            )
        return ""

    def status(self) -> messages.SessionStatus:
        """What `status` tells about it."""
        times = list(self.stream.frame_ms) if self.stream else []
        p50, p99 = np.percentile(times, [50, 99]) if times else (0.0, 0.0)
        return messages.SessionStatus(
            session=self.number,
            model=self.bundle.name,
            state=wire.SERVER_STATE_NAMES[self.segment.server_state],
            revision=self.revision,
            frames=self.stream.frames if self.stream else 0,
            slow_frames=self.stream.slow_frames if self.stream else 0,
            frame_ms_p50=float(p50),
            frame_ms_p99=float(p99),
            note=self.note or self.complaint(),
        )
