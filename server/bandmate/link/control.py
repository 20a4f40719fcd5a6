# SPDX-License-Identifier: GPL-3.0-or-later
"""The control socket: checks every request and answers it. Never touches audio."""

from __future__ import annotations

import contextlib
import hmac
import logging
import math
import queue
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from bandmate import __version__
from bandmate import _protocol as wire
from bandmate.engine.engine import Engine
from bandmate.link import codec, messages
from bandmate.link.fields import MessageError
from bandmate.link.gate import Gate
from bandmate.link.keys import ServerKeys
from bandmate.link.offers import models
from bandmate.link.remote import RemoteDesk
from bandmate.link.resume import ResumeDesk
from bandmate.link.sessions import Answer, SessionTable
from bandmate.link.tasks import TaskDesk

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.1  # heartbeats are due twice a second; a loaded machine may miss a few
LINGER_MS = 500  # how long the last words to clients may take at the end
QUEUED_MESSAGES = 1000  # to one client that does not read; what is more is dropped
# First byte of a client's name in here: which socket its messages come by.
LOCAL, REMOTE = b"l", b"r"


class Control:
    """Owner of the control thread and its ROUTER socket."""

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        token: str,
        engine: Engine,
        idle_seconds: float | None,
        on_end: Callable[[str], None],
        listen: tuple[str, ServerKeys] | None = None,
    ) -> None:
        """Binds the sockets.

        Args:
            folder: the private folder.
            endpoint: ZeroMQ endpoint to bind.
            token: what every request must carry.
            engine: a started engine.
            idle_seconds: end after so long without a session, None for never.
            on_end: told why, from the control thread, when the server shall end.
            listen: address for clients on other machines, and the keys, if there may be any.

        Raises:
            ListenError: that address cannot be used.
        """
        self._token = token
        self._idle_seconds = idle_seconds
        self._on_end = on_end
        self._stopping = False
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._router.setsockopt(zmq.LINGER, LINGER_MS)
        self._router.setsockopt(zmq.MAXMSGSIZE, wire.MESSAGE_BYTES_MAXIMUM)
        self._router.setsockopt(zmq.SNDHWM, QUEUED_MESSAGES)
        self._router.bind(endpoint)
        # Other threads put work into the queue and a byte into the pipe, which ends the poll.
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._sessions = SessionTable(folder, engine, self.call, self._push, self._frame_made)
        self._resume = ResumeDesk(engine, self._sessions, self.call)
        self._tasks = TaskDesk(engine, self._sessions, self.call, self._push)
        self.gate: Gate | None = None
        if listen is not None:
            self.gate = Gate(*listen, self._take_remote, self._stream_broken)
            self._remote = RemoteDesk(folder, self.gate, self._sessions)
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Starts to answer."""
        self._thread.start()

    def stop(self, reason: str, end_engine: Callable[[], None]) -> None:
        """Ends all sessions with a word to their plugins and joins the thread.

        Args:
            reason: why, for the plugins' users.
            end_engine: stops the inference thread, which lets go of all shared memory.
        """

        def end() -> None:
            end_engine()
            self._sessions.close_all(reason)
            self._resume.close()
            self._tasks.close()
            self._stopping = True

        self.call(end)
        self._thread.join()
        if self.gate is not None:
            self.gate.stop()  # after the last words to its clients
        self._context.term()
        self._wake_in.close()
        self._wake_out.close()

    def call(self, work: Callable[[], None]) -> None:
        """Runs `work` on the control thread soon. Any thread."""
        self._work.put(work)
        # Full of wake-ups already, or the thread has ended: nothing to do in either case.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        next_beat = busy_at = time.monotonic()
        while not self._stopping:
            left_ms = max(0.0, next_beat - time.monotonic()) * 1e3
            ready = dict(poller.poll(math.ceil(left_ms)))
            if self._wake_out.fileno() in ready:
                self._drain_wakes()
            self._do_work()
            if self._router in ready:
                self._receive()
            now = time.monotonic()
            if now >= next_beat:
                next_beat = now + BEAT_SECONDS
                self._guarded(self._sessions.beat)
            if len(self._sessions) > 0:
                busy_at = now
            elif self._idle_seconds is not None and now - busy_at > self._idle_seconds:
                self._idle_seconds = None
                self._on_end(f"idle for {now - busy_at:.0f} s")
        self._router.close()

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_out.recv(4096):
                pass

    def _do_work(self) -> None:
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                return
            self._guarded(work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A fault of ours ends one piece of work, not the thread that all plugins talk to."""
        try:
            work()
        except Exception:
            log.exception("control work failed")

    def _receive(self) -> None:
        while True:
            try:
                parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            client, data = LOCAL + parts[0], parts[-1]
            if len(parts) != 2:
                refusal = MessageError("bad_message", "A request is one message of one part.")
                self._answer(client, 0, refusal)
                continue
            self._handle(client, data)

    def _take_remote(self, identity: bytes, data: bytes) -> None:
        """On the gate's thread."""

        def handle() -> None:
            assert self.gate is not None
            try:
                self._handle(REMOTE + identity, data)
            finally:
                self.gate.handled()

        self.call(handle)

    def _stream_broken(self, ticket: bytes, why: str) -> None:
        """On the gate's thread."""
        self.call(lambda: self._remote.broken(ticket, why))

    def _frame_made(self, client: bytes) -> Callable[[], None]:
        return self.gate.wake if self.gate is not None and is_remote(client) else lambda: None

    def _handle(self, client: bytes, data: bytes) -> None:
        number = 0
        try:
            request = codec.decode_request(data)
            number = request.id
            # Who came through the gate has shown a key.
            if not is_remote(client) and not hmac.compare_digest(
                request.token.encode(), self._token.encode()
            ):
                raise MessageError(
                    "bad_token",
                    "The token is not this server's.",
                    "Read the discovery file again.",
                )
            self._dispatch(
                client, request.body, lambda body: self._answer(client, request.id, body)
            )
        except MessageError as refusal:
            self._answer(client, refusal.re or number, refusal)
        except wire.Error as error:
            self._answer(client, number, MessageError(error.code, error.message, error.hint))
        except Exception as error:
            log.exception("a request failed")
            self._answer(
                client, number, MessageError("internal", f"{error}", "See the server's log.")
            )

    def _dispatch(self, client: bytes, body: messages.RequestBody, answer: Answer) -> None:
        if is_remote(client):
            self._remote.check(body)
        match body:
            case messages.Open() if is_remote(client):
                self._remote.open(client, body, answer)
            case messages.Hello():
                answer(_hello(body))
            case messages.Open():
                self._sessions.open(client, body, answer)
            case messages.SetPrompts():
                self._sessions.set_prompts(client, body, answer)
            case messages.Status():
                answer(self._sessions.status(body))
            case messages.ListModels():
                answer(messages.ListModelsReply(models()))
            case messages.Ping():
                answer(messages.PingReply())
            case messages.Close():
                self._sessions.close(client, body, answer)
            case messages.BankSave():
                self._resume.save(client, body, answer)
            case messages.BankLoad():
                self._resume.load(client, body, answer)
            case messages.Prefill():
                self._resume.prefill(client, body, answer)
            case messages.Reset():
                self._resume.reset(client, body, answer)
            case messages.StyleSound():
                self._tasks.style_sound(client, body, answer)
            case messages.ContinueFrom():
                self._tasks.continue_from(client, body, answer)
            case messages.TakeSave():
                self._tasks.take_save(client, body, answer)
            case messages.Cancel():
                self._tasks.cancel(client, body, answer)
            case messages.Shutdown():
                answer(messages.ShutdownReply())
                self._on_end("asked to by a client")

    def _answer(self, client: bytes, number: int, body: messages.ReplyBody | MessageError) -> None:
        if isinstance(body, MessageError):
            body.re = number
            self._send(client, codec.encode(codec.error_reply(body)))
        else:
            self._send(client, codec.encode(messages.Reply(number, body)))

    def _push(self, client: bytes, body: messages.PushBody) -> None:
        self._send(client, codec.encode(messages.Push(body)))

    def _send(self, client: bytes, data: bytes) -> None:
        identity = client[1:]
        if is_remote(client):
            assert self.gate is not None
            self.gate.send(identity, data)
            return
        try:
            self._router.send_multipart([identity, data], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # The client is gone or does not read. It will find out by its own heartbeats.
            log.info("a message was not delivered: %s", error)


def is_remote(client: bytes) -> bool:
    """Whether a client is on another machine."""
    return client.startswith(REMOTE)


def _hello(request: messages.Hello) -> messages.HelloReply:
    if request.protocol < wire.MESSAGE_VERSION_MINIMUM:
        raise MessageError(
            "unsupported_version",
            f"The client speaks protocol {request.protocol}, "
            f"this server {wire.MESSAGE_VERSION_MINIMUM} to {wire.MESSAGE_VERSION}.",
            "Install plugin and server of the same Bandmate version.",
        )
    log.info("hello from %s", request.client)
    return messages.HelloReply(__version__, min(request.protocol, wire.MESSAGE_VERSION), models())
