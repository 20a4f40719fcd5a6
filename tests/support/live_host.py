# SPDX-License-Identifier: GPL-3.0-or-later
"""The built LV2 played live: jalv on a JACK server whose dummy driver keeps real time.

Nothing waits for the plugin here. What is sent and what is heard are counted in the same blocks, so
positions are exact however busy the machine is (the server waits for its clients: a late block is
late for both).
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from typing import IO

import jack
import numpy as np
from numpy.typing import NDArray

from support.jack_server import jack_server, ports
from support.plugin_ids import LV2_URI
from support.sandbox import Sandbox
from support.waiting import wait_for

LIMIT_SECONDS = 180
CLIENT = "band"


def is_installed() -> bool:
    """Whether this machine has the JACK server and jalv."""
    return all(shutil.which(program) for program in ("jackd", "jack_lsp", "jalv"))


def _open_client(server: str) -> jack.Client | None:
    """A client of that server; None while it has no time to answer."""
    try:
        return jack.Client("player", servername=server, no_start_server=True)
    except jack.JackOpenError:
        return None


class LiveHost:
    """A running host with the plugin in it. Use as a context manager.

    Attributes:
        rate: samples a second.
        latency: what JACK says the plugin reports, plus the block that this client adds.
    """

    def __init__(
        self, place: Sandbox, rate: int = 48000, block: int = 256, **host_variables: str
    ) -> None:
        """`host_variables` are added to the environment of jalv alone."""
        self.rate, self.block = rate, block
        self._place = place
        self._environment: dict[str, str] = {}
        self._server = contextlib.ExitStack()
        self._host_variables = host_variables
        self._audio = np.zeros((LIMIT_SECONDS * rate, 2), np.float32)
        self._heard = 0
        self._pending: list[tuple[int, bytes]] = []
        self._guard = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log: IO[bytes] | None = None
        self.latency = 0

    def __enter__(self) -> LiveHost:
        self._log = (self._place.root / "live.log").open("wb")
        try:
            self._environment = self._server.enter_context(
                jack_server(self._place, self.rate, self.block)
            )
            self._start("jalv", "-x", "-n", CLIENT, LV2_URI, **self._host_variables)
            wait_for(lambda: f"{CLIENT}:audio_out_2" in (self._ports() or ""), "jalv's ports")
            self._connect(self._environment["JACK_DEFAULT_SERVER"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_client"):
            self._client.deactivate()
            self._client.close()
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log:
            self._log.close()
        self._server.close()

    @property
    def now(self) -> int:
        """Samples heard so far."""
        return self._heard

    @property
    def is_alive(self) -> bool:
        """Whether the host still runs."""
        return self._processes[-1].poll() is None

    def log(self) -> str:
        """What server and host have printed."""
        return (self._place.root / "live.log").read_text(errors="replace")

    def strike(self, at: int, length: int, pitch: int = 69) -> None:
        """Sends a note at a sample that is not past."""
        with self._guard:
            assert at >= self._heard, "that sample is past"
            self._pending.append((at, bytes([0x90, pitch, 100])))
            self._pending.append((at + length, bytes([0x80, pitch, 0])))
            self._pending.sort()

    def wait_until(self, at: int) -> None:
        """Returns when the samples before `at` have been heard."""
        limit = (at - self._heard) / self.rate * 4 + 30
        wait_for(lambda: self._heard >= at or not self.is_alive, f"sample {at}", limit)
        assert self.is_alive, "the host has ended:\n" + self.log()[-3000:]

    def heard(self, begin: int, end: int) -> NDArray[np.float32]:
        """Samples [begin, end) of the left channel, waiting for them."""
        self.wait_until(end)
        return self._audio[begin:end, 0].copy()

    def _start(self, *command: str, **variables: str) -> None:
        # jalv ends when its standard input does, so it gets one that stays open
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**self._environment, **variables},
            start_new_session=True,
        )
        self._processes.append(process)

    def _ports(self, *options: str) -> str | None:
        dead = [process.args for process in self._processes if process.poll() is not None]
        assert not dead, f"{dead} ended:\n{self.log()[-3000:]}"
        return ports(self._environment, *options)

    def _connect(self, name: str) -> None:
        self._client = wait_for(lambda: _open_client(name), "a place on the JACK server")
        self._midi = self._client.midi_outports.register("midi")
        self._ears = [self._client.inports.register(side) for side in ("left", "right")]
        self._client.set_process_callback(self._process)
        self._client.activate()
        midi_in = self._client.get_ports(f"{CLIENT}:.*", is_midi=True, is_input=True)[0]
        self._wire(self._midi, midi_in)
        for number, ear in enumerate(self._ears, 1):
            self._wire(f"{CLIENT}:audio_out_{number}", ear)
        # jalv tells JACK after the plugin's first blocks
        wait_for(lambda: self._reported() > 0, "the plugin's latency")
        self.latency = self._reported() + self.block

    def _wire(self, source: jack.Port | str, target: jack.Port) -> None:
        def try_it() -> bool:
            try:
                self._client.connect(source, target)
            except jack.JackErrorCode:
                return False  # the server had no time for it
            return True

        wait_for(try_it, f"the connection of {source} to {target}")

    def _reported(self) -> int:
        # jalv names the plugin's latency as its output's playback latency; the capture side is 0
        # as there is no audio input
        printed = self._ports("-l", f"{CLIENT}:audio_out_1") or ""
        ranges = [line.split("[")[1].split() for line in printed.splitlines() if "[" in line]
        return max(int(numbers[0]) for numbers in ranges)

    def _process(self, count: int) -> None:
        """JACK's thread: sends what is due in this block and keeps what came."""
        begin = self._heard
        self._midi.clear_buffer()
        with self._guard:
            while self._pending and self._pending[0][0] < begin + count:
                at, message = self._pending.pop(0)
                self._midi.write_midi_event(max(0, at - begin), message)
        room = min(count, len(self._audio) - begin)
        if room > 0:
            for side, ear in enumerate(self._ears):
                self._audio[begin : begin + room, side] = ear.get_array()[:room]
            self._heard = begin + room
