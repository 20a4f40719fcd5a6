# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests about where a session goes on from: banks, prefill, reset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bandmate.engine.engine import Engine
from bandmate.engine.loading import LoadedModel
from bandmate.engine.pieces import run_pieces
from bandmate.errors import BandmateError
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.link.open_session import OpenSession
from bandmate.link.sessions import Answer, SessionTable
from bandmate.models.bundle import BundleError
from bandmate.models.interface import PrefillError
from bandmate.session.banks import read_bank, resume_point, take_bank, write_bank
from bandmate.session.prefill import prefill, read_clip
from bandmate.session.session import ResumePoint, Session

log = logging.getLogger(__name__)

THREADS = 4  # a prefill keeps one busy for as long as it takes


class ResumeDesk:
    """Answers these requests. Control thread; files and waiting are left to threads of its own."""

    def __init__(
        self, engine: Engine, sessions: SessionTable, call: Callable[[Callable[[], None]], None]
    ) -> None:
        """Args:
        engine: a started engine.
        sessions: where sessions are found.
        call: runs something on the control thread soon; callable from any thread.
        """
        self._engine = engine
        self._sessions = sessions
        self._call = call
        self._pool = ThreadPoolExecutor(THREADS, "resume")

    def save(self, client: bytes, request: messages.BankSave, answer: Answer) -> None:
        """Writes where the session is now into a file. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path)

        def work() -> None:
            session, loaded = parts(entry)
            bank = self._engine.post(
                lambda: take_bank(entry.bundle, loaded.model, session.here())
            ).result()
            write_bank(path, bank)

        self._answer_after(work, entry, messages.BankSaveReply(entry.number), answer)

    def load(self, client: bytes, request: messages.BankLoad, answer: Answer) -> None:
        """Makes a bank, or the fresh state, the reset target. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path) if request.path else None

        def work() -> None:
            session, loaded = parts(entry)
            bank = read_bank(path) if path is not None else None

            def take() -> None:
                session.reset_target = (
                    resume_point(entry.bundle, loaded.model, bank) if bank else ResumePoint()
                )

            self._engine.post(take).result()

        self._answer_after(work, entry, messages.BankLoadReply(entry.number), answer)

    def prefill(self, client: bytes, request: messages.Prefill, answer: Answer) -> None:
        """Makes the end of a clip, or silence, the reset target. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)
        path = absolute(request.path) if request.path else None

        def work() -> None:
            session, loaded = parts(entry)
            audio = read_clip(path, entry.bundle.frame) if path is not None else None

            def pieces() -> Generator[None, None, None]:
                controls = session.prefill_controls()
                point = yield from prefill(entry.bundle, loaded.model, controls, audio)
                session.reset_target = point

            run_pieces(self._engine, pieces(), entry.ended)

        self._answer_after(work, entry, messages.PrefillReply(entry.number), answer)

    def reset(self, client: bytes, request: messages.Reset, answer: Answer) -> None:
        """Goes to the reset target between two frames. Raises MessageError."""
        entry = self._sessions.ready_session(client, request.session)

        def work() -> None:
            session, _ = parts(entry)
            self._engine.post(lambda: session.reset(request.rotation)).result()

        self._answer_after(work, entry, messages.ResetReply(entry.number), answer)

    def close(self) -> None:
        """Forgets what waits and joins the threads. The sessions must have ended."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _answer_after(
        self,
        work: Callable[[], None],
        entry: OpenSession,
        reply: messages.ReplyBody,
        answer: Answer,
    ) -> None:
        def finish(done: Future[None]) -> None:
            if done.cancelled() or entry.ended.is_set():
                answer(MessageError("unknown_session", "The session has ended.", "Open another."))
            elif (error := done.exception()) is not None:
                answer(refusal(error))
            else:
                answer(reply)

        future = self._pool.submit(work)
        future.add_done_callback(lambda done: self._call(lambda: finish(done)))


def parts(entry: OpenSession) -> tuple[Session, LoadedModel]:
    """Session and model of a session that `ready_session` gave."""
    assert entry.session is not None
    assert entry.loaded is not None
    return entry.session, entry.loaded


def absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise MessageError("bad_field", "The field 'path' must be an absolute path.")
    return path


def refusal(error: BaseException) -> MessageError:
    if isinstance(error, PrefillError | BundleError):
        return MessageError("model_failed", str(error))
    if isinstance(error, BandmateError):
        return MessageError("io", str(error))
    log.error("a request failed", exc_info=error)
    return MessageError("internal", f"{error}", "See the server's log.")
