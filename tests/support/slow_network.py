# SPDX-License-Identifier: GPL-3.0-or-later
"""Two machines and the network between them, on one: namespaces joined by a program that delays
and loses their packets.

Packets are real ones, so TCP does what it does on such a network. (The kernel's own netem is not
everywhere.) Needs root and /dev/net/tun.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import random
import select
import shutil
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

LAPTOP, STUDIO = "10.77.5.1", "10.77.5.2"
MTU = 1500
QUEUED_PACKETS = 2000  # a network holds only so many
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000


def why_not() -> str:
    """Why this machine cannot do it; empty if it can."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip"):
        return "network namespaces need Linux, root and iproute2"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    name = f"bm{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return f"network namespaces are not permitted here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return ""


class SlowNetwork:
    """Use as a context manager.

    Attributes:
        laptop, studio: what to put before a command that is to run on that machine.
    """

    def __init__(self, delay_ms: float, loss: float) -> None:
        """`delay_ms`: one way; `loss`: share of packets, each way."""
        self._names = [f"bm{os.getpid()}-laptop", f"bm{os.getpid()}-studio"]
        self.laptop, self.studio = (["ip", "netns", "exec", name] for name in self._names)
        self._arguments = [*self._names, str(delay_ms), str(loss)]
        self._program: subprocess.Popen[str] | None = None

    def __enter__(self) -> SlowNetwork:
        try:
            for name in self._names:
                _ip("netns", "add", name)
                _ip("-n", name, "link", "set", "lo", "up")
            self._program = subprocess.Popen(
                [sys.executable, __file__, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._program.stdout is not None
            assert self._program.stdout.readline() == "ready\n", "the network's program has ended"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self._program.kill()
            self._program.communicate()
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)

    def cut(self) -> None:
        """From now on every packet is lost."""
        self._say("cut")

    def mend(self) -> None:
        """The end of `cut`."""
        self._say("mend")

    def _say(self, word: str) -> None:
        assert self._program is not None
        assert self._program.stdin is not None
        self._program.stdin.write(word + "\n")
        self._program.stdin.flush()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _tun(namespace: str, address: str) -> int:
    """A network interface in a namespace, as a file of IP packets."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"wire", IFF_TUN | IFF_NO_PI))
    finally:
        libc.setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(there)
    _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "wire")
    _ip("-n", namespace, "link", "set", "wire", "mtu", str(MTU), "up")
    return tun


def carry(laptop: str, studio: str, delay_seconds: float, loss: float) -> None:
    """Carries packets between the namespaces until it is killed."""
    ends = [_tun(laptop, LAPTOP), _tun(studio, STUDIO)]
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    under_way: deque[tuple[float, int, bytes]] = deque()  # the delay is the same for all: in order
    dice = random.Random(1)
    is_cut = False
    with contextlib.suppress(OSError):
        os.nice(-15)  # a wire waits for nobody
    print("ready", flush=True)
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        ready, _, _ = select.select([*ends, sys.stdin], [], [], wait)
        now = time.monotonic()
        if sys.stdin in ready:
            word = sys.stdin.readline()
            if not word:
                return
            is_cut = word == "cut\n"
        for end in ends:
            while end in ready:
                try:
                    packet = os.read(end, 65536)
                except BlockingIOError:
                    break
                if not is_cut and dice.random() >= loss and len(under_way) < QUEUED_PACKETS:
                    under_way.append((now + delay_seconds, other[end], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, packet = under_way.popleft()
            os.write(end, packet)


if __name__ == "__main__":
    carry(sys.argv[1], sys.argv[2], float(sys.argv[3]) * 1e-3, float(sys.argv[4]))
