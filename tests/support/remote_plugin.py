# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's part of the protocol over a network: as `WirePlugin`, with a pump beside it."""

from __future__ import annotations

import json
import secrets
import threading

import zmq

from bandmate import _protocol as wire
from bandmate.link import messages
from bandmate.link.client import Client
from bandmate.link.discovery import Discovery
from bandmate.link.keys import show_key
from support.sandbox import Sandbox
from support.wire_plugin import WirePlugin

STEP_MS = 1


def access_key(place: Sandbox) -> str:
    """What a user of that server copies."""
    done = place.bandmate("key", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["access_key"]


def remote_client(place: Sandbox, address: str, key: str) -> Client:
    """A client that knows nothing but address and key."""
    return Client(place.runtime, Discovery(1, 1, address, "", 0.0, ""), key)


class RemotePlugin(WirePlugin):
    """One session of a server elsewhere. Its own segment lies in a folder that server never sees.

    Attributes:
        problem: why the stream is of no more use.
        is_cut: while set nothing goes out or comes in.
    """

    def __init__(self, place: Sandbox, address: str, key: str, model: str = "testtone") -> None:
        super().__init__(place.runtime, model, client=remote_client(place, address, key))
        self.ticket = secrets.token_bytes(wire.TICKET_BYTES)
        self.problem = ""
        self.is_cut = threading.Event()
        self._address, self._key = address, key
        self._over = threading.Event()
        self._pump = threading.Thread(target=self._run, daemon=True)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._pump.ident:
            self._pump.join()
        super().__exit__()

    def open(self, seed: int = 0) -> messages.OpenReply:
        self._pump.start()
        name = f"stream-{self.ticket.hex()}"
        reply = self.client.request(messages.Open(name, self.bundle.name, seed, "tests"), 60)
        assert isinstance(reply, messages.OpenReply)
        self.session = reply.session
        return reply

    def _run(self) -> None:
        end = wire.PluginStreamEnd(self.segment, self.ticket)
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.setsockopt(zmq.LINGER, 0)
            show_key(dealer, self._key)
            dealer.connect(self._address)
            while not self._over.is_set():
                ready = dealer.poll(STEP_MS)
                if self.is_cut.is_set():
                    continue
                try:
                    while ready:
                        end.take(dealer.recv())
                        ready = dealer.poll(0)
                    while (data := end.next()) is not None:
                        dealer.send(data)
                except wire.Error as error:
                    self.problem = error.message
                    return
