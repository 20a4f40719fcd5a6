# SPDX-License-Identifier: GPL-3.0-or-later
"""When the machine cannot hold one more stream: who came last stays silent, the others play on."""

from __future__ import annotations

import time
from collections import deque
from typing import Protocol

WINDOW_SECONDS = 4.0
LEAST_LOOKS = 20
BEHIND_PART = 0.8  # of the looks: a machine that was away for a moment catches up sooner

NOTE = (
    "This machine cannot play one more track live: this one stays silent so that the others play "
    "on. Freeze or remove a track, then this one comes back; renders are not affected."
)


class LiveStream(Protocol):
    """What the guard needs of a stream. Inference thread only."""

    is_resting: bool

    @property
    def is_patient(self) -> bool:
        """Whether nobody hears it now."""
        ...

    def is_behind(self) -> bool:
        """Whether more input waits than a machine that keeps up would leave."""
        ...

    def rest(self, note: str) -> None:
        """Stays silent while it is live; tells its user why."""
        ...

    def catch_up(self) -> None:
        """Leaves out the frames that are late by now, so that the next ones are in time."""
        ...

    def wake(self) -> None:
        """Goes on, at the present."""
        ...


class NeverRests:
    """For streams that nobody hears, or that are alone in their process: see `LiveStream`."""

    is_resting = False

    def is_behind(self) -> bool:
        return False

    def rest(self, note: str) -> None:
        raise RuntimeError(note)

    def catch_up(self) -> None:
        pass

    def wake(self) -> None:
        pass


class OverloadGuard:
    """Watches the streams that are heard now, in the order in which they came."""

    def __init__(self) -> None:
        self._streams: list[LiveStream] = []
        self._looks: deque[tuple[float, bool]] = deque()

    def joined(self, stream: LiveStream) -> None:
        """A stream has come."""
        self._streams.append(stream)
        self._looks.clear()

    def left(self, stream: LiveStream) -> None:
        """A stream has gone: there is room for the one that has waited longest."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        self._looks.clear()
        if not stream.is_resting:
            waiting = next((other for other in self._streams if other.is_resting), None)
            if waiting is not None:
                waiting.wake()

    def look(self, now: float | None = None) -> LiveStream | None:
        """After each step: puts the newest stream to rest if frames have been late for long.

        Returns:
            The stream that rests from now on.
        """
        live = [s for s in self._streams if not s.is_patient and not s.is_resting]
        if len(live) < 2:
            self._looks.clear()
            return None
        now = time.monotonic() if now is None else now
        self._looks.append((now, any(stream.is_behind() for stream in live)))
        while now - self._looks[0][0] > WINDOW_SECONDS:
            self._looks.popleft()
        late = sum(is_late for _, is_late in self._looks)
        spans = now - self._looks[0][0] > WINDOW_SECONDS / 2
        if not spans or len(self._looks) < LEAST_LOOKS or late < BEHIND_PART * len(self._looks):
            return None
        self._looks.clear()
        newest = live.pop()
        newest.rest(NOTE)
        for stream in live:
            stream.catch_up()
        return newest
