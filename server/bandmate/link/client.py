# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the control socket for commands, tools and tests."""

from __future__ import annotations

import math
import time
from collections import deque
from pathlib import Path

import zmq

from bandmate.errors import BandmateError
from bandmate.link import codec, messages
from bandmate.link.discovery import Discovery, read_discovery, server_runs
from bandmate.link.fields import MessageError
from bandmate.link.keys import show_key

REPLY_SECONDS = 10.0
POLL_SECONDS = 0.02


class NoServerError(BandmateError):
    """No server runs, or it does not answer."""


class RefusedError(BandmateError):
    """The server refused a request.

    Attributes:
        code: one of `_protocol.ERROR_CODES`.
    """

    def __init__(self, error: messages.ErrorReply) -> None:
        super().__init__(f"{error.message} {error.hint}".strip())
        self.code = error.code


class Client:
    """One DEALER socket. Not for use by several threads.

    Attributes:
        discovery: the server it talks to.
        pushes: what the server said unasked, oldest first; taken by whoever reads it.
    """

    def __init__(self, folder: Path, discovery: Discovery, access_key: str = "") -> None:
        """Args:
        folder: the private folder of the server.
        discovery: where it is.
        access_key: of a server on another machine.
        """
        self._folder = folder
        self.discovery = discovery
        self.pushes: deque[messages.PushBody] = deque()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        if access_key:
            show_key(self._socket, access_key)
        self._socket.connect(discovery.endpoint)
        self._last_id = 0

    @classmethod
    def connect(cls, folder: Path) -> Client:
        """A client of the server that runs in the private folder. Raises NoServerError."""
        discovery = read_discovery(folder)
        if discovery is None:
            raise NoServerError(f"No server runs in {folder}. Start one with `bandmate serve`.")
        return cls(folder, discovery)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the server."""
        self._socket.close()
        self._context.term()

    def send(self, body: messages.RequestBody) -> int:
        """Sends a request and returns its id, under which `receive` finds the reply."""
        self._last_id += 1
        request = messages.Request(self._last_id, self.discovery.token, body)
        self.send_bytes(codec.encode(request))
        return self._last_id

    def send_bytes(self, *parts: bytes) -> None:
        """Sends raw bytes, one message of these parts."""
        self._socket.send_multipart(parts)

    def receive(self, seconds: float = REPLY_SECONDS) -> messages.Reply | None:
        """The next reply of any request; None if none came in time. Pushes are put aside."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            if not self._socket.poll(math.ceil(left * 1e3)):
                return None
            message = codec.decode_server_message(self._socket.recv())
            if isinstance(message, messages.Reply):
                return message
            self.pushes.append(message.body)

    def request(
        self, body: messages.RequestBody, seconds: float = REPLY_SECONDS
    ) -> messages.ReplyBody:
        """Sends a request and waits for its reply.

        Raises:
            RefusedError: the server refused it.
            NoServerError: no answer came in time.
        """
        number = self.send(body)
        end = time.monotonic() + seconds
        while (reply := self.receive(max(0.0, end - time.monotonic()))) is not None:
            if reply.re != number:
                continue
            if isinstance(reply.body, messages.ErrorReply):
                raise RefusedError(reply.body)
            return reply.body
        raise NoServerError(
            f"The server (process {self.discovery.pid}) did not answer in {seconds:.0f} s. "
            "See its log, or end it with `bandmate serve --stop`."
        )

    def status(self) -> tuple[messages.SessionStatus, ...]:
        """All sessions of the server."""
        reply = self.request(messages.Status(0))
        if not isinstance(reply, messages.StatusReply):
            raise MessageError("bad_message", "The server answered something else.")
        return reply.sessions

    def shutdown(self) -> None:
        """Asks the server to end."""
        self.request(messages.Shutdown())

    def wait_for_end(self, seconds: float) -> bool:
        """Waits until the server has let go of its folder; False if it has not."""
        end = time.monotonic() + seconds
        while server_runs(self._folder):
            if time.monotonic() > end:
                return False
            time.sleep(POLL_SECONDS)
        return True
