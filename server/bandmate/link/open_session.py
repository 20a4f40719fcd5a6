# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server remembers of one open session."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import numpy as np

from bandmate import _protocol as wire
from bandmate.engine.loading import LoadedModel
from bandmate.link import messages
from bandmate.link.stream import SegmentStream
from bandmate.models.bundle import Bundle
from bandmate.session.session import Session


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
        newest_revision: of the prompts asked for.
        revision: of the prompts in force.
        note: what went wrong last, for the plugin's status line.
        heartbeat: the plugin's count when it last changed.
        heard_at: monotonic time of that change.
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
    newest_revision: int = 0
    revision: int = 0
    note: str = ""
    heartbeat: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)

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
            note=self.note,
        )
