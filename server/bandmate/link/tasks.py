# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that take their time: styles and continuations from sound, takes. One a session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bandmate import _protocol as wire
from bandmate.engine.engine import Engine
from bandmate.engine.pieces import run_pieces
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.link.open_session import OpenSession
from bandmate.link.prompts import step_back
from bandmate.link.resume import absolute, parts, refusal
from bandmate.link.sessions import Answer, SessionTable
from bandmate.session.banks import take_bank, write_bank
from bandmate.session.prefill import prefill, read_clip
from bandmate.session.side_chain import joined
from bandmate.session.style_sound import to_text

THREADS = 4
PROGRESS_SECONDS = 0.2  # between two words about how far it has got

T = TypeVar("T")


class TaskDesk:
    """Answers these requests. Control thread; the work is done on threads of its own."""

    def __init__(
        self,
        engine: Engine,
        sessions: SessionTable,
        call: Callable[[Callable[[], None]], None],
        push: Callable[[bytes, messages.PushBody], None],
    ) -> None:
        """Args: as `ResumeDesk`; `push` sends a push's body to a client."""
        self._engine = engine
        self._sessions = sessions
        self._call = call
        self._push = push
        self._pool = ThreadPoolExecutor(THREADS, "tasks", initializer=step_back)

    def style_sound(self, client: bytes, request: messages.StyleSound, answer: Answer) -> None:
        """Makes a style of sound. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path) if request.path else None
        assert entry.loaded is not None
        encoder = entry.loaded.encoder
        if encoder is None:
            raise MessageError(
                "model_failed", f"The model {entry.bundle.name!r} has no styles.", "Choose another."
            )

        def work() -> messages.ReplyBody:
            audio = self._sound(entry, path, request.seconds, from_start=True)
            self._tell(entry, request.TYPE, 0.2)
            _check(entry)
            try:
                embedding = encoder.encode_audio(audio, entry.bundle.frame.sample_rate)
            except ValueError as error:
                raise MessageError("model_failed", str(error)) from error
            return messages.StyleSoundReply(
                entry.number, request.slot, to_text(entry.bundle, embedding)
            )

        self._run(work, entry, answer)

    def continue_from(self, client: bytes, request: messages.ContinueFrom, answer: Answer) -> None:
        """Goes on from sound. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path) if request.path else None
        bank_path = absolute(request.bank) if request.bank else None

        def work() -> messages.ReplyBody:
            session, loaded = parts(entry)
            audio = self._sound(entry, path, request.seconds, from_start=False)
            frames = len(audio) / entry.bundle.frame.frame_samples

            def pieces() -> Generator[None, None, T]:
                controls = session.prefill_controls()
                # A piece encodes or plays about a frame.
                point = yield from self._told(
                    prefill(entry.bundle, loaded.model, controls, audio),
                    entry,
                    request.TYPE,
                    2 * frames,
                )
                return point

            point = run_pieces(self._engine, pieces(), _Either(entry.ended, entry.cancelled))
            _check(entry)
            assert point is not None
            if bank_path is not None:
                bank = self._engine.post(
                    lambda: take_bank(entry.bundle, loaded.model, point)
                ).result()
                bank_path.parent.mkdir(parents=True, exist_ok=True)
                write_bank(bank_path, bank)

            def go() -> None:
                session.reset_target = point
                session.reset()

            self._engine.post(go).result()
            return messages.ContinueFromReply(entry.number)

        self._run(work, entry, answer)

    def take_save(self, client: bytes, request: messages.TakeSave, answer: Answer) -> None:
        """Writes the end of the take. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path)
        if path.suffix.lower() != ".wav":
            raise MessageError("bad_field", "The field 'path' must end in .wav.")

        def work() -> messages.ReplyBody:
            assert entry.take is not None
            snapshot = self._engine.post(entry.take.snapshot).result()
            seconds = entry.take.save(snapshot, path, request.seconds, entry.cancelled)
            _check(entry)
            assert seconds is not None
            return messages.TakeSaveReply(entry.number, min(seconds, wire.TAKE_SECONDS_MAXIMUM))

        self._run(work, entry, answer)

    def cancel(self, client: bytes, request: messages.Cancel, answer: Answer) -> None:
        """Gives up what runs. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        if entry.tasks > 0:
            entry.cancelled.set()
        answer(messages.CancelReply(entry.number))

    def close(self) -> None:
        """Forgets what waits and joins the threads. The sessions must have ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(
        self, work: Callable[[], messages.ReplyBody], entry: OpenSession, answer: Answer
    ) -> None:
        if entry.tasks > 0:
            raise MessageError(
                "bad_message",
                "This session is still busy with another request of this kind.",
                "Wait for it, or cancel it.",
            )
        entry.tasks += 1
        entry.cancelled.clear()

        def finish(done: Future[messages.ReplyBody]) -> None:
            entry.tasks -= 1
            if done.cancelled() or entry.ended.is_set():
                answer(MessageError("unknown_session", "The session has ended.", "Open another."))
            elif (error := done.exception()) is not None:
                answer(error if isinstance(error, MessageError) else refusal(error))
            else:
                answer(done.result())

        future = self._pool.submit(work)
        future.add_done_callback(lambda done: self._call(lambda: finish(done)))

    def _sound(
        self, entry: OpenSession, path: Path | None, seconds: float, *, from_start: bool
    ) -> NDArray[np.float32]:
        """Of a file, or of the side chain. On a thread with time."""
        spec = entry.bundle.frame
        if path is not None:
            audio = read_clip(path, spec, seconds, from_start=from_start)
        else:
            stream = entry.stream
            assert stream is not None
            frames = self._engine.post(lambda: stream.input.latest(seconds)).result()
            audio = joined(frames, spec, seconds)
        _check(entry)
        return audio

    def _told(
        self, work: Generator[None, None, T], entry: OpenSession, task: str, pieces: float
    ) -> Generator[None, None, T]:
        """The same work, with a word now and then about how far it has got."""
        made, told_at = 0, time.monotonic()
        while True:
            try:
                next(work)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            made += 1
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                self._tell(entry, task, min(0.99, made / pieces))
            yield

    def _tell(self, entry: OpenSession, task: str, share: float) -> None:
        self._call(lambda: self._push(entry.client, messages.Progress(entry.number, task, share)))


class _Either(threading.Event):
    """Set when one of two others is."""

    def __init__(self, first: threading.Event, second: threading.Event) -> None:
        super().__init__()
        self._both = (first, second)

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._both)


def _check(entry: OpenSession) -> None:
    """Raises MessageError if the client has given up."""
    if entry.cancelled.is_set():
        raise MessageError("cancelled", "Cancelled.")
