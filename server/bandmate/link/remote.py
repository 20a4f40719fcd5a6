# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs for clients on other machines: which requests they may make, and their segments."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from pathlib import Path

from bandmate import _protocol as wire
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.link.gate import Gate
from bandmate.link.offers import describe
from bandmate.link.sessions import Answer, SessionTable

log = logging.getLogger(__name__)

STREAM_PREFIX = "stream-"  # in the place of a segment's path: this and the ticket in hex


class RemoteDesk:
    """Stands between the gate and the sessions. Control thread only."""

    def __init__(self, folder: Path, gate: Gate, sessions: SessionTable) -> None:
        """Args:
        folder: the private folder; segments lie in it.
        gate: where the streams come in.
        sessions: where the sessions are opened.
        """
        self._folder = folder
        self._gate = gate
        self._sessions = sessions
        self._numbers = itertools.count(1)
        self._streams: dict[bytes, int] = {}  # session of each ticket

    def check(self, body: messages.RequestBody) -> None:
        """Raises MessageError for what a client elsewhere may not ask for."""
        if isinstance(body, messages.Shutdown):
            raise MessageError(
                "unknown_type",
                "A client on another machine cannot end the server.",
                "Run `bandmate serve --stop` where it runs.",
            )
        if any(getattr(body, name, "") for name in ("path", "bank")):
            raise MessageError(
                "io",
                "This server runs on another machine and cannot reach files of yours.",
                "Use the side chain instead of a file, or play with a server on this machine.",
            )

    def open(self, client: bytes, request: messages.Open, answer: Answer) -> None:
        """Opens a session whose sound goes through the gate. Raises MessageError."""
        ticket = _ticket(request.segment)
        if ticket in self._streams:
            raise MessageError("bad_segment", "This stream is open already.", "Open another.")
        frame = describe(request.model).frame
        path = self._folder / f"segment-{os.getpid()}-gate-{next(self._numbers)}"
        segment = wire.Segment.create(path, frame.sample_rate, frame.channels, frame.frame_samples)
        self._gate.open_stream(ticket, segment)
        try:
            number = self._sessions.open(
                client, dataclasses.replace(request, segment=str(path)), answer
            )
        except BaseException:
            self._gate.close_stream(ticket)
            raise
        finally:
            path.unlink(missing_ok=True)  # whoever needs it has mapped it
        self._streams[ticket] = number
        self._streams = {t: n for t, n in self._streams.items() if self._sessions.has(n)}

    def broken(self, ticket: bytes, why: str) -> None:
        """A stream is of no more use: its session is over."""
        number = self._streams.pop(ticket, None)
        if number is not None:
            self._sessions.end(number, why)


def _ticket(text: str) -> bytes:
    """The ticket that `open` names. Raises MessageError."""
    try:
        ticket = bytes.fromhex(text.removeprefix(STREAM_PREFIX))
    except ValueError:
        ticket = b""
    if not text.startswith(STREAM_PREFIX) or len(ticket) != wire.TICKET_BYTES:
        raise MessageError(
            "bad_segment",
            "A client on another machine shares no memory with this server.",
            f"Name the stream: {STREAM_PREFIX} and {2 * wire.TICKET_BYTES} hex digits.",
        )
    return ticket
