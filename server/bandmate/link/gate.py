# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in from other machines: one CURVE socket for control messages and for sound.

A thread of its own, so that a slow network holds up nobody: sessions see a segment in this
machine's memory, and what does not get away stays in it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

import zmq
from zmq.auth.thread import ThreadAuthenticator

from bandmate import _protocol as wire
from bandmate.errors import BandmateError
from bandmate.link.keys import ServerKeys

log = logging.getLogger(__name__)

DOMAIN = "bandmate"
POLL_MS = 10  # a stream's state is due so often
IDLE_MS = 1000
LINGER_MS = 200
HEARTBEAT_MS = 500
DEAD_MS = 3000  # a connection that is silent for so long is given up
QUEUED_MESSAGES = 256  # to one client; a stream has less under way
WAITING_REQUESTS = 64  # of all clients, for the control thread
TURN_MESSAGES = 500  # taken from the network before anything is sent again


class ListenError(BandmateError):
    """The address cannot be listened at."""


@dataclass
class Peer:
    """A stream whose plugin is elsewhere.

    Attributes:
        segment: the session's, seen from the plugin's side.
        end: plays the plugin.
        identity: of the connection that the plugin's messages last came by.
        unsent: a message that the network did not take yet.
    """

    segment: wire.Segment
    end: wire.ServerStreamEnd
    identity: bytes | None = None
    unsent: bytes | None = None


class Gate:
    """Owner of the network thread and its socket."""

    def __init__(
        self,
        endpoint: str,
        keys: ServerKeys,
        on_request: Callable[[bytes, bytes], None],
        on_broken: Callable[[bytes, str], None],
    ) -> None:
        """Binds the socket.

        Args:
            endpoint: `tcp://HOST:PORT`.
            keys: the server's own and the clients'.
            on_request: takes a client's identity and a control message; called on the network
                thread, `handled` is due afterwards.
            on_broken: takes the ticket of a stream that is of no more use, and why.

        Raises:
            ListenError: the address cannot be used.
        """
        self._on_request = on_request
        self._on_broken = on_broken
        self._keys = keys
        self._context = zmq.Context()
        self._guard = ThreadAuthenticator(self._context)
        self._guard.start()
        self._guard.configure_curve_callback(DOMAIN, self)
        try:
            self._router = self._bound(endpoint)
        except zmq.ZMQError as error:
            self._guard.stop()
            self._context.destroy(linger=0)
            raise ListenError(
                f"{endpoint} cannot be listened at: {error.strerror}. Use tcp://HOST:PORT with an "
                "address of this machine (0.0.0.0 for all) and a free port."
            ) from error
        # With port 0 the system has chosen one.
        self.endpoint = self._router.getsockopt_string(zmq.LAST_ENDPOINT)
        self._peers: dict[bytes, Peer] = {}
        self._waiting = threading.Semaphore(WAITING_REQUESTS)
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self._thread.start()

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether a client with this public key may come in; asked by the authenticator."""
        del domain
        return key == self._keys.client_public

    def stop(self) -> None:
        """Says what is left to say, lets go of all streams and joins the thread."""

        def end() -> None:
            self._stopping = True

        self._call(end)
        self._thread.join()
        self._guard.stop()
        self._context.destroy(linger=LINGER_MS)
        self._wake_in.close()
        self._wake_out.close()

    # Any thread.

    def wake(self) -> None:
        """There may be a frame to send."""
        # Full of wake-ups already, or the thread has ended: nothing to do in either case.
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def send(self, identity: bytes, data: bytes) -> None:
        """Sends a control message."""
        self._call(lambda: self._send(identity, data))

    def handled(self) -> None:
        """A request that `on_request` took is done with."""
        self._waiting.release()

    def open_stream(self, ticket: bytes, segment: wire.Segment) -> None:
        """Plays the plugin of `segment` from now on; lets go of it when the session is over."""
        peer = Peer(segment, wire.ServerStreamEnd(segment, ticket))
        self._call(lambda: self._peers.__setitem__(ticket, peer))

    def close_stream(self, ticket: bytes) -> None:
        """Forgets a stream whose session could not be opened."""
        self._call(lambda: self._forget(ticket))

    # The network thread.

    def _bound(self, endpoint: str) -> zmq.Socket[bytes]:
        router = self._context.socket(zmq.ROUTER)
        router.curve_server = True
        router.curve_secretkey = self._keys.server_secret
        router.zap_domain = DOMAIN.encode()  # without a verdict nobody comes in
        options = {
            zmq.IPV6: int("[" in endpoint),
            zmq.LINGER: LINGER_MS,
            zmq.MAXMSGSIZE: max(wire.STREAM_BYTES_MAXIMUM, wire.MESSAGE_BYTES_MAXIMUM),
            zmq.SNDHWM: QUEUED_MESSAGES,
            zmq.RCVHWM: QUEUED_MESSAGES,
            zmq.ROUTER_MANDATORY: 1,  # a full queue is told, not dropped silently
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: DEAD_MS,
            zmq.HEARTBEAT_TTL: DEAD_MS,
            zmq.HANDSHAKE_IVL: DEAD_MS,
        }
        for option, value in options.items():
            router.setsockopt(option, value)
        try:
            router.bind(endpoint)
        except zmq.ZMQError:
            router.close()
            raise
        return router

    def _call(self, work: Callable[[], None]) -> None:
        self._work.put(work)
        self.wake()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._wake_out, zmq.POLLIN)
        while not self._stopping:
            ready = dict(poller.poll(POLL_MS if self._peers else IDLE_MS))
            if self._wake_out.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    while self._wake_out.recv(4096):
                        pass
            self._do_work()
            if self._router in ready:
                self._receive()
            self._send_streams()
        self._send_streams()
        for ticket in list(self._peers):
            self._forget(ticket)
        self._router.close()

    def _do_work(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._work.get_nowait()()

    def _receive(self) -> None:
        for _ in range(TURN_MESSAGES):
            try:
                parts = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(parts) != 2:
                continue
            identity, data = parts
            if data.startswith(wire.STREAM_MAGIC):
                self._take(identity, data)
            elif self._waiting.acquire(blocking=False):
                self._on_request(identity, data)
            # Else they ask faster than anybody could answer: their time limits tell them.

    def _take(self, identity: bytes, data: bytes) -> None:
        peer = self._peers.get(ticket_of(data))
        if peer is None:
            return  # a stream that is over; its plugin has been told
        peer.identity = identity
        try:
            peer.end.take(data)
        except wire.Error as error:
            self._break(ticket_of(data), error.message)

    def _send_streams(self) -> None:
        for ticket, peer in list(self._peers.items()):
            try:
                self._send_due(peer)
            except wire.Error as error:
                self._break(ticket, error.message)
                continue
            if peer.end.is_over and peer.unsent is None:
                self._forget(ticket)

    def _send_due(self, peer: Peer) -> None:
        while True:
            if peer.unsent is None:
                # Without a connection nothing is taken out of the session's memory, but its end.
                if peer.identity is None and not _is_closed(peer.segment):
                    return
                peer.unsent = peer.end.next()
            if peer.unsent is None:
                return
            if peer.identity is not None:
                try:
                    self._router.send_multipart([peer.identity, peer.unsent], zmq.NOBLOCK)
                except zmq.Again:
                    return  # the client does not read: tried again later
                except zmq.ZMQError:
                    # It is gone. Should it come back it misses this message, and opens anew.
                    peer.identity = None
            peer.unsent = None

    def _send(self, identity: bytes, data: bytes) -> None:
        try:
            self._router.send_multipart([identity, data], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.info("a message was not delivered: %s", error)

    def _break(self, ticket: bytes, why: str) -> None:
        self._forget(ticket)
        self._on_broken(ticket, why)

    def _forget(self, ticket: bytes) -> None:
        peer = self._peers.pop(ticket, None)
        if peer is not None:
            peer.segment.close()


def ticket_of(data: bytes) -> bytes:
    """The ticket of a stream's message: PROTOCOL.md, section 7."""
    return data[8 : 8 + wire.TICKET_BYTES]


def _is_closed(segment: wire.Segment) -> bool:
    return segment.server_state in (wire.ServerState.FAILED, wire.ServerState.CLOSED)
