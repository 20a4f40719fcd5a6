# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's part of the protocol in Python, over the real socket and real shared memory."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bandmate import _protocol as wire
from bandmate.link import messages
from bandmate.link.client import Client
from bandmate.models.bundle import Bundle
from bandmate.models.registry import find_bundle
from support.waiting import wait_for

BEAT_SECONDS = 0.1

_numbers = itertools.count(1)


def record(
    time: int, kind: wire.EventType, channel: int = 0, index: int = 0, value: float = 0.0, aux=0
) -> np.ndarray:
    """One event record."""
    return np.array([(time, int(kind), channel, index, value, aux)], wire.EVENT_DTYPE)


def note_on(time: int, pitch: int = 69, channel: int = 0) -> np.ndarray:
    return record(time, wire.EventType.NOTE_ON, channel, pitch, 100 / 127)


def note_off(time: int, pitch: int = 69, channel: int = 0) -> np.ndarray:
    return record(time, wire.EventType.NOTE_OFF, channel, pitch)


def parameter(time: int, which: wire.ParameterId, value: float) -> np.ndarray:
    return record(time, wire.EventType.PARAMETER, 0, int(which), value)


class WirePlugin:
    """One session. `play` does what an audio thread does, without a clock.

    Attributes:
        frames: sound received, by (epoch, index): [F, channels].
        flags: the frames' flags, by (epoch, index).
    """

    def __init__(
        self, folder: Path, model: str = "testtone", client: Client | None = None, **slots: int
    ) -> None:
        self.folder = folder
        self.bundle: Bundle = find_bundle(model)
        self.spec = self.bundle.frame
        self.client = client or Client.connect(folder)
        self.path = folder / f"segment-{os.getpid()}-{next(_numbers)}"
        self.segment = wire.Segment.create(
            self.path,
            self.spec.sample_rate,
            self.spec.channels,
            self.spec.frame_samples,
            **slots,
        )
        self.session = 0
        self.epoch = 0
        self.position = 0
        self.frames: dict[tuple[int, int], np.ndarray] = {}
        self.flags: dict[tuple[int, int], int] = {}

    def __enter__(self) -> WirePlugin:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.segment.close()
        self.path.unlink(missing_ok=True)

    def open(self, seed: int = 0) -> messages.OpenReply:
        """Opens the session; the segment's name is gone afterwards, as the protocol wants."""
        request = messages.Open(str(self.path), self.bundle.name, seed, "tests")
        reply = self.client.request(request, 60)
        assert isinstance(reply, messages.OpenReply)
        self.path.unlink()
        self.session = reply.session
        return reply

    def set_prompts(self, revision: int, *texts: str) -> messages.SetPromptsReply:
        """Puts prompts into the slots from 0 on."""
        prompts = tuple(messages.Prompt(slot, text) for slot, text in enumerate(texts))
        reply = self.client.request(messages.SetPrompts(self.session, revision, prompts), 60)
        assert isinstance(reply, messages.SetPromptsReply)
        return reply

    def begin_epoch(self, seed: int = 0, *snapshot: np.ndarray) -> None:
        """Starts the stream anew."""
        self.epoch += 1
        self.position = 0
        self.push(record(0, wire.EventType.EPOCH, 0, self.epoch, 0.0, seed), *snapshot)
        self.segment.publish(self.epoch, 0)

    def push(self, *events: np.ndarray) -> None:
        """Puts events into the ring."""
        for event in events:
            assert self.segment.push_events(event) == 1

    def publish(self, until: int) -> None:
        """The host has processed up to this sample of the epoch."""
        self.segment.plugin_beat()
        self.segment.publish(self.epoch, until)
        self.position = until

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Beats meanwhile, as the link's own thread does whatever the audio thread waits for."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                self.segment.plugin_beat()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def drain(self) -> None:
        """Takes all frames out of the ring."""
        while (frame := self.segment.read_frame()) is not None:
            epoch, index, flags, samples = frame
            self.frames[epoch, index] = samples
            self.flags[epoch, index] = flags

    def wait_frame(self, index: int) -> np.ndarray:
        """Frame k of the present epoch, when it has come."""

        def there() -> bool:
            self.segment.plugin_beat()
            self.drain()
            if (self.epoch, index) in self.frames:
                return True
            if self.segment.server_state in (wire.ServerState.FAILED, wire.ServerState.CLOSED):
                self.client.receive(1.0)
                raise AssertionError(f"session {self.session} is over: {self.client.pushes}")
            return False

        wait_for(there, f"frame {index} of epoch {self.epoch}")
        return self.frames[self.epoch, index]

    def play(self, frames: int, events: list[np.ndarray] = (), block: int = 512) -> np.ndarray:
        """Plays blocks until `frames` frames are complete; waits for each as an offline host does.

        Args:
            frames: how many frames of the present epoch, from its start.
            events: records in order of time.
            block: samples per block.

        Returns:
            Their sound [frames * F, channels].
        """
        length = frames * self.spec.frame_samples
        left = list(events)
        waited = self.position // self.spec.frame_samples
        while self.position < length:
            end = min(self.position + block, length)
            while left and left[0]["time"][0] < end:
                self.push(left.pop(0))
            self.publish(end)
            while waited < self.position // self.spec.frame_samples:
                self.wait_frame(waited)
                waited += 1
        return np.concatenate([self.frames[self.epoch, k] for k in range(frames)])
