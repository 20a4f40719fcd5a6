# SPDX-License-Identifier: GPL-3.0-or-later
"""The open sessions of all plugins. Lives on the control thread; slow work comes back to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from bandmate import _protocol as wire
from bandmate.engine import budget
from bandmate.engine.engine import Engine
from bandmate.engine.loading import LoadedModel
from bandmate.errors import BandmateError
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.link.offers import attach_segment, describe, frame_of
from bandmate.link.open_session import OpenSession
from bandmate.link.prompts import Embedding, PromptPool
from bandmate.link.stream import SegmentStream
from bandmate.link.takes import TakeShelf
from bandmate.models.bundle import BundleError
from bandmate.session.session import Session
from bandmate.session.style_sound import from_text

log = logging.getLogger(__name__)

SILENT_SECONDS = 10.0  # a plugin whose heartbeat stands still for so long is gone
# What one beat may add to a plugin's silence: when this server or the whole machine stood still,
# the plugin had no chance to beat either.
SILENT_STEP_SECONDS = 0.5
REMEMBERED_ENDS = 64  # reasons of sessions that are over, for clients that ask for them
ENGINE_STUCK_SECONDS = 5.0  # an inference thread silent for so long is not alive

# Takes a reply's body or the refusal of the request.
Answer = Callable[[messages.ReplyBody | MessageError], None]


class SessionTable:
    """Opens, feeds, watches and closes sessions. Control thread only."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        call: Callable[[Callable[[], None]], None],
        push: Callable[[bytes, messages.PushBody], None],
        frame_made: Callable[[bytes], Callable[[], None]] = lambda _: lambda: None,
    ) -> None:
        """Args:
        folder: the private folder; segments lie in it.
        engine: a started engine.
        call: runs something on the control thread soon; callable from any thread.
        push: sends a push's body to a client.
        frame_made: gives what is called, on the inference thread, after a client's frames.
        """
        self._folder = folder
        self._engine = engine
        self._pool = PromptPool()
        self._takes = TakeShelf()
        self._call = call
        self._push = push
        self._frame_made = frame_made
        self._sessions: dict[int, OpenSession] = {}
        self._last_number = 0
        self._ends: dict[int, str] = {}  # why sessions ended, oldest first
        self._beat_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, client: bytes, request: messages.Open, answer: Answer) -> int:
        """Begins a session; answers when its model is loaded.

        Returns:
            Its number.

        Raises:
            MessageError: the model or the segment is not to be used.
        """
        if len(self._sessions) >= wire.SESSIONS_MAXIMUM:
            raise MessageError(
                "too_many_sessions",
                f"The server has {wire.SESSIONS_MAXIMUM} sessions, it takes no more.",
                "Remove plugins you do not need.",
            )
        bundle = describe(request.model)
        segment = attach_segment(request.segment, self._folder, bundle)
        self._last_number += 1
        entry = OpenSession(self._last_number, client, bundle, segment, request.host)
        self._sessions[entry.number] = entry
        segment.server_state = wire.ServerState.LOADING
        segment.beat()
        log.info("session %d: opened by %s with %s", entry.number, request.host, bundle.name)
        future = self._engine.load(bundle.name)
        self._then(future, lambda done: self._model_loaded(entry, request, done, answer))
        return entry.number

    def has(self, number: int) -> bool:
        """Whether the session is open."""
        return number in self._sessions

    def end(self, number: int, reason: str) -> None:
        """Ends a session from the server's side, with a word to its plugin."""
        if number in self._sessions:
            self._over(self._sessions[number], reason)

    def set_prompts(self, client: bytes, request: messages.SetPrompts, answer: Answer) -> None:
        """Puts prompts in force; answers when they are. Raises MessageError."""
        entry = self.ready_session(client, request.session)
        assert entry.loaded is not None
        entry.newest_revision = max(entry.newest_revision, request.revision)
        texts = {prompt.slot: prompt.text for prompt in request.prompts}
        encoder = entry.loaded.encoder
        if encoder is None:
            self._in_force(entry, request.revision, {})
            answer(messages.SetPromptsReply(entry.number, request.revision))
            return
        future = self._pool.encode(entry.bundle.name, encoder, texts)
        self._then(future, lambda done: self._prompts_encoded(entry, request, done, answer))

    def close(self, client: bytes, request: messages.Close, answer: Answer) -> None:
        """Ends a session of this client; answers when its memory is let go. Raises MessageError."""
        entry = self._of(client, request.session)
        self._remember(entry, "Its plugin closed it.")
        self._end(entry, wire.ServerState.CLOSED, lambda: answer(messages.CloseReply(entry.number)))
        log.info("session %d: closed by its plugin", entry.number)

    def status(self, request: messages.Status) -> messages.StatusReply:
        """State of one session, or of all for 0. Raises MessageError."""
        if request.session == 0:
            return messages.StatusReply(tuple(e.status() for e in self._sessions.values()))
        if request.session not in self._sessions:
            raise self._unknown(request.session)
        return messages.StatusReply((self._sessions[request.session].status(),))

    def beat(self) -> None:
        """Shows plugins that the server lives and ends sessions whose plugin does not."""
        now = time.monotonic()
        passed = min(now - self._beat_at, SILENT_STEP_SECONDS)
        self._beat_at = now
        alive = now - self._engine.beat < ENGINE_STUCK_SECONDS
        for entry in list(self._sessions.values()):
            if alive:
                entry.segment.beat()
            heartbeat = entry.segment.plugin_heartbeat
            # A plugin may stand still until `open` is answered, and a large model takes a while.
            if heartbeat != entry.heartbeat or entry.stream is None:
                entry.heartbeat = heartbeat
                entry.silent_seconds = 0.0
                continue
            entry.silent_seconds += passed
            if entry.silent_seconds > SILENT_SECONDS:
                self._over(entry, f"The plugin has been silent for {SILENT_SECONDS:.0f} s.")

    def close_all(self, reason: str) -> None:
        """Ends every session, each with a word to its plugin. The engine must have stopped."""
        for entry in list(self._sessions.values()):
            log.info("session %d: closed: %s", entry.number, reason)
            entry.ended.set()
            self._push(entry.client, messages.Closed(entry.number, reason))
            entry.segment.server_state = wire.ServerState.CLOSED
            entry.segment.close()
        self._sessions.clear()
        self._pool.close()
        self._takes.close()

    # Continuations, back on the control thread.

    def _model_loaded(
        self,
        entry: OpenSession,
        request: messages.Open,
        done: Future[LoadedModel],
        answer: Answer,
    ) -> None:
        if entry.number not in self._sessions:
            return  # the plugin went away meanwhile
        error = done.exception()
        if error is not None:
            self._failed_open(entry, error, answer)
            return
        entry.loaded = loaded = done.result()
        entry.session = Session(entry.bundle, loaded.encoder, request.seed)
        entry.take = self._takes.recorder(entry.bundle.frame)
        entry.stream = SegmentStream(
            entry.segment,
            entry.session,
            loaded.budget_ms,
            lambda reason: self._call(lambda: self._over(entry, reason)),
            entry.take,
        )
        entry.stream.on_frame = self._frame_made(entry.client)
        entry.stream.on_note = lambda note: self._call(lambda: self._tell(entry, note))
        if loaded.encoder is None:
            entry.stream.open = True
        attached = self._engine.attach(loaded, entry.stream)
        self._then(attached, lambda done: self._stream_attached(entry, done, answer))

    def _stream_attached(self, entry: OpenSession, done: Future[None], answer: Answer) -> None:
        if entry.number not in self._sessions:
            return
        error = done.exception()
        if error is not None:
            self._failed_open(entry, error, answer)
            return
        if entry.stream is not None and entry.stream.open:
            entry.segment.server_state = wire.ServerState.READY
        assert entry.loaded is not None
        answer(messages.OpenReply(entry.number, frame_of(entry.bundle), entry.loaded.budget_ms))

    def _failed_open(self, entry: OpenSession, error: BaseException, answer: Answer) -> None:
        log.error("session %d: %s", entry.number, error)
        self._remember(entry, str(error))
        self._end(entry, wire.ServerState.FAILED, lambda: None)
        code = "model_failed" if isinstance(error, BundleError) else "internal"
        answer(MessageError(code, str(error), "See `bandmate doctor`."))

    def _prompts_encoded(
        self,
        entry: OpenSession,
        request: messages.SetPrompts,
        done: Future[dict[int, Embedding]],
        answer: Answer,
    ) -> None:
        if entry.number not in self._sessions:
            return
        error = done.exception()
        if error is not None:
            log.error("session %d: prompts", entry.number, exc_info=error)
            self._without_prompts(entry, request, error, answer)
            return
        self._in_force(entry, request.revision, done.result() | self._sounds(entry, request))
        answer(messages.SetPromptsReply(entry.number, request.revision))

    def _without_prompts(
        self,
        entry: OpenSession,
        request: messages.SetPrompts,
        error: BaseException,
        answer: Answer,
    ) -> None:
        """Prompts that cannot be encoded keep nobody silent: the last ones stay, or there are none.

        Styles made of sound need no encoder of text.
        """
        why = str(error) if isinstance(error, BandmateError) else "See the server's log."
        if entry.revision == 0:
            self._in_force(entry, request.revision, self._sounds(entry, request))
            begin = "It plays without the style prompts"
        else:
            begin = "The new style prompts are not in force"
        entry.note = _short(f"{begin}: {why}")
        answer(
            MessageError("model_failed", entry.note, "Then change a prompt, or reload the plugin.")
        )

    def _sounds(self, entry: OpenSession, request: messages.SetPrompts) -> dict[int, Embedding]:
        """Styles made of sound. One of another model leaves its slot to the text, with a word."""
        assert entry.loaded is not None
        assert entry.loaded.encoder is not None
        sounds, lost = {}, []
        for prompt in request.prompts:
            if not prompt.sound:
                continue
            embedding = from_text(entry.bundle, entry.loaded.encoder.dim, prompt.sound)
            if embedding is None:
                lost.append(f"{prompt.slot + 1}")
            else:
                sounds[prompt.slot] = embedding
        if lost:
            note = (
                f"The sound in style slot {', '.join(lost)} was made with another model than "
                f"{entry.bundle.name} {entry.bundle.version}. Capture it again, or choose its file."
            )
            self._call(lambda: self._tell(entry, note))  # after the reply
        return sounds

    def _tell(self, entry: OpenSession, note: str) -> None:
        """Puts a note into the plugin's status line."""
        if entry.number in self._sessions:
            entry.note = _short(note)
            fields = {**vars(entry.status())}
            self._push(entry.client, messages.StatusPush(**fields))

    def _in_force(
        self, entry: OpenSession, revision: int, embeddings: dict[int, Embedding]
    ) -> None:
        if revision < entry.revision or entry.session is None or entry.stream is None:
            return  # a newer set was encoded faster
        entry.session.styles.replace(embeddings)
        entry.revision = revision
        entry.note = ""
        entry.stream.open = True
        entry.segment.server_state = wire.ServerState.READY

    def _over(self, entry: OpenSession, reason: str) -> None:
        """The server ends a session; the others are not touched."""
        if entry.number not in self._sessions:
            return
        log.warning("session %d: closed: %s", entry.number, reason)
        self._remember(entry, reason)
        self._end(entry, wire.ServerState.FAILED, lambda: None)
        self._push(entry.client, messages.Closed(entry.number, _short(reason)))

    def _remember(self, entry: OpenSession, reason: str) -> None:
        self._ends[entry.number] = reason
        while len(self._ends) > REMEMBERED_ENDS:
            del self._ends[next(iter(self._ends))]

    def _end(self, entry: OpenSession, state: wire.ServerState, then: Callable[[], None]) -> None:
        del self._sessions[entry.number]
        entry.ended.set()

        def let_go(_: object = None) -> None:
            entry.segment.server_state = state
            entry.segment.close()
            if entry.take is not None:
                entry.take.close()
            if told := entry.times():
                log.info("session %d: %s", entry.number, told)
            self._learn(entry)
            then()

        if entry.stream is None:
            let_go()
        else:
            # The inference thread may be reading from the segment right now.
            self._then(self._engine.detach(entry.stream), let_go)

    def _learn(self, entry: OpenSession) -> None:
        """The next plugin's latency comes from how long frames really took."""
        if entry.stream is not None:
            try:
                budget.learn(entry.bundle, list(entry.stream.turn_ms))
            except budget.EngineFileError as error:
                log.warning("%s", error)

    def _then(self, future: Future, work: Callable[[Future], None]) -> None:  # type: ignore[type-arg]
        future.add_done_callback(lambda done: self._call(lambda: work(done)))

    # Checks of requests.

    def ready_session(self, client: bytes, number: int) -> OpenSession:
        """A session of this client whose model is loaded. Raises MessageError."""
        entry = self._of(client, number)
        if entry.loaded is None:
            raise MessageError(
                "unknown_session",
                f"Session {entry.number} is still loading.",
                "Wait for the answer to `open`.",
            )
        return entry

    def _of(self, client: bytes, number: int) -> OpenSession:
        entry = self._sessions.get(number)
        if entry is None or entry.client != client:
            raise self._unknown(number)
        return entry

    def _unknown(self, number: int) -> MessageError:
        """Tells why there is no such session any more, if that is known."""
        reason = self._ends.get(number)
        if reason is None:
            what = f"There is no session {number} of this client."
        else:
            what = _short(f"Session {number} is over: {reason}")
        return MessageError("unknown_session", what, "Open one.")


def _short(text: str) -> str:
    """One line within the wire's limit."""
    line = " ".join(text.split())
    return line.encode()[: wire.TEXT_BYTES_MAXIMUM].decode(errors="ignore")
