# SPDX-License-Identifier: GPL-3.0-or-later
"""The server as a whole: private folder, lock, engine, control socket, discovery file."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time

from bandmate import __version__
from bandmate import _protocol as wire
from bandmate.engine import priority
from bandmate.engine.engine import Engine
from bandmate.errors import BandmateError
from bandmate.link.control import Control
from bandmate.link.discovery import (
    Discovery,
    ServerLock,
    read_discovery,
    remove_discovery,
    socket_path,
    sweep_segments,
)
from bandmate.link.keys import ServerKeys
from bandmate.link.stream import wait_for_input
from bandmate.paths import runtime_dir

log = logging.getLogger(__name__)

TOKEN_BYTES = 16


class Server:
    """One running server. Make it, `wait` for its end, `stop` it."""

    def __init__(
        self,
        idle_seconds: float | None = None,
        precision: str | None = None,
        listen: tuple[str, ServerKeys] | None = None,
    ) -> None:
        """Takes the lock and starts to serve.

        Args:
            idle_seconds: end after so long without a session, None for never.
            precision: of the models that load, see `engine.precision.wanted`.
            listen: address for plugins on other machines, and the keys.

        Raises:
            BandmateError: there is a server already, or the private folder or the address cannot
                be used.
        """
        self.folder = runtime_dir()
        self._lock = ServerLock(self.folder)
        self._ended = threading.Event()
        self.reason = ""
        try:
            for path in sweep_segments(self.folder):
                log.info("removed %s of a dead plugin", path.name)
            # Before any thread starts: all inherit it. One left behind could be kept from the
            # processor while it holds Python's lock, and a frame would wait for it.
            self.is_raised = priority.raise_priority()
            self._socket = socket_path(self.folder)
            self._engine = Engine(wait_for_input, precision=precision)
            self._engine.start()
            token = secrets.token_hex(TOKEN_BYTES)
            endpoint = f"ipc://{self._socket}"
            self._control = Control(
                self.folder, endpoint, token, self._engine, idle_seconds, self.end, listen
            )
            self.listens_at = self._control.gate.endpoint if self._control.gate else ""
            self._control.start()
            self.discovery = Discovery(
                protocol=wire.MESSAGE_VERSION,
                pid=os.getpid(),
                endpoint=endpoint,
                token=token,
                started=time.time(),
                version=__version__,
            )
            # Last: whoever reads it finds a server that answers.
            self.discovery.write(self.folder)
        except BaseException:
            self._lock.release()
            raise

    def end(self, reason: str) -> None:
        """Asks the server to end; `wait` then returns. Any thread, signal handlers too."""
        if not self._ended.is_set():
            self.reason = reason
        self._ended.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until somebody asks for the end; False if `seconds` went by first."""
        return self._ended.wait(seconds)

    def keep_findable(self) -> None:
        """Writes the discovery file again if somebody removed it, as cleaners of /tmp do.

        The lock keeps any other server from starting, so without the file plugins would be stuck.
        """
        if read_discovery(self.folder) == self.discovery:
            return
        try:
            self.discovery.write(self.folder)
            log.warning("wrote the discovery file anew: it was gone or another's")
        except BandmateError as error:
            log.error("%s", error)

    def stop(self) -> None:
        """Ends all sessions and removes what others would find."""
        remove_discovery(self.folder, os.getpid())  # first: nobody new shall come
        self._control.stop("The server is shutting down.", self._engine.stop)
        self._socket.unlink(missing_ok=True)
        self._lock.release()
