# SPDX-License-Identifier: GPL-3.0-or-later
"""The open sessions of all plugins. Lives on the control thread; slow work comes back to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bandmate import _protocol as wire
from bandmate.engine import budget
from bandmate.engine.engine import Engine, LoadedModel
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.link.prompts import Embedding, PromptPool
from bandmate.link.stream import SegmentStream
from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.registry import check_weights, find_bundles
from bandmate.session.session import Session

log = logging.getLogger(__name__)

SILENT_SECONDS = 10.0  # a plugin whose heartbeat stands still for so long is gone
ENGINE_STUCK_SECONDS = 5.0  # an inference thread silent for so long is not alive

# Takes a reply's body or the refusal of the request.
Answer = Callable[[messages.ReplyBody | MessageError], None]


@dataclass(eq=False)
class OpenSession:
    """One session.

    Attributes:
        number: by which the client names it.
        client: ZeroMQ identity of the client that opened it.
        bundle: its model.
        segment: attached shared memory.
        host: the DAW, for the log.
        loaded: the model, once it is loaded.
        session: its frames, once the model is loaded.
        stream: the same for the engine.
        newest_revision: of the prompts asked for.
        revision: of the prompts in force.
        note: what went wrong last, for the plugin's status line.
        heartbeat: the plugin's count when it last changed.
        heard_at: monotonic time of that change.
    """

    number: int
    client: bytes
    bundle: Bundle
    segment: wire.Segment
    host: str
    loaded: LoadedModel | None = None
    session: Session | None = None
    stream: SegmentStream | None = None
    newest_revision: int = 0
    revision: int = 0
    note: str = ""
    heartbeat: int = 0
    heard_at: float = field(default_factory=time.monotonic)

    def status(self) -> messages.SessionStatus:
        """What `status` tells about it."""
        times = list(self.stream.frame_ms) if self.stream else []
        p50, p99 = np.percentile(times, [50, 99]) if times else (0.0, 0.0)
        return messages.SessionStatus(
            session=self.number,
            model=self.bundle.name,
            state=wire.SERVER_STATE_NAMES[self.segment.server_state],
            revision=self.revision,
            frames=self.stream.frames if self.stream else 0,
            slow_frames=self.stream.slow_frames if self.stream else 0,
            frame_ms_p50=float(p50),
            frame_ms_p99=float(p99),
            note=self.note,
        )


class SessionTable:
    """Opens, feeds, watches and closes sessions. Control thread only."""

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        call: Callable[[Callable[[], None]], None],
        push: Callable[[bytes, messages.PushBody], None],
    ) -> None:
        """Args:
        folder: the private folder; segments lie in it.
        engine: a started engine.
        call: runs something on the control thread soon; callable from any thread.
        push: sends a push's body to a client.
        """
        self._folder = folder
        self._engine = engine
        self._pool = PromptPool()
        self._call = call
        self._push = push
        self._sessions: dict[int, OpenSession] = {}
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, client: bytes, request: messages.Open, answer: Answer) -> None:
        """Begins a session; answers when its model is loaded.

        Raises:
            MessageError: the model or the segment is not to be used.
        """
        if len(self._sessions) >= wire.SESSIONS_MAXIMUM:
            raise MessageError(
                "too_many_sessions",
                f"The server has {wire.SESSIONS_MAXIMUM} sessions, it takes no more.",
                "Remove plugins you do not need.",
            )
        bundle = _described(request.model)
        segment = self._attached(request.segment, bundle)
        self._last_number += 1
        entry = OpenSession(self._last_number, client, bundle, segment, request.host)
        self._sessions[entry.number] = entry
        segment.server_state = wire.ServerState.LOADING
        segment.beat()
        log.info("session %d: opened by %s with %s", entry.number, request.host, bundle.name)
        future = self._engine.load(bundle.name)
        self._then(future, lambda done: self._model_loaded(entry, request, done, answer))

    def set_prompts(self, client: bytes, request: messages.SetPrompts, answer: Answer) -> None:
        """Puts prompts in force; answers when they are. Raises MessageError."""
        entry = self._of(client, request.session)
        if entry.loaded is None:
            raise MessageError(
                "unknown_session",
                f"Session {entry.number} is still loading.",
                "Wait for the answer to `open`.",
            )
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
        self._end(entry, wire.ServerState.CLOSED, lambda: answer(messages.CloseReply(entry.number)))
        log.info("session %d: closed by its plugin", entry.number)

    def status(self, request: messages.Status) -> messages.StatusReply:
        """State of one session, or of all for 0. Raises MessageError."""
        if request.session == 0:
            return messages.StatusReply(tuple(e.status() for e in self._sessions.values()))
        if request.session not in self._sessions:
            raise _unknown(request.session)
        return messages.StatusReply((self._sessions[request.session].status(),))

    def beat(self) -> None:
        """Shows plugins that the server lives and ends sessions whose plugin does not."""
        now = time.monotonic()
        alive = now - self._engine.beat < ENGINE_STUCK_SECONDS
        for entry in list(self._sessions.values()):
            if alive:
                entry.segment.beat()
            heartbeat = entry.segment.plugin_heartbeat
            if heartbeat != entry.heartbeat:
                entry.heartbeat = heartbeat
                entry.heard_at = now
            elif now - entry.heard_at > SILENT_SECONDS:
                self._over(entry, f"The plugin has been silent for {SILENT_SECONDS:.0f} s.")

    def close_all(self, reason: str) -> None:
        """Ends every session, each with a word to its plugin. The engine must have stopped."""
        for entry in list(self._sessions.values()):
            self._push(entry.client, messages.Closed(entry.number, reason))
            entry.segment.server_state = wire.ServerState.CLOSED
            entry.segment.close()
        self._sessions.clear()
        self._pool.close()

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
        entry.stream = SegmentStream(
            entry.segment,
            entry.session,
            loaded.budget_ms,
            lambda reason: self._call(lambda: self._over(entry, reason)),
        )
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
        answer(messages.OpenReply(entry.number, _frame(entry.bundle), entry.loaded.budget_ms))

    def _failed_open(self, entry: OpenSession, error: BaseException, answer: Answer) -> None:
        log.error("session %d: %s", entry.number, error)
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
            entry.note = "The prompts could not be encoded; the last ones stay."
            answer(MessageError("model_failed", entry.note, "Change the text, or see the log."))
            return
        self._in_force(entry, request.revision, done.result())
        answer(messages.SetPromptsReply(entry.number, request.revision))

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
        self._end(entry, wire.ServerState.FAILED, lambda: None)
        self._push(entry.client, messages.Closed(entry.number, _short(reason)))

    def _end(self, entry: OpenSession, state: wire.ServerState, then: Callable[[], None]) -> None:
        del self._sessions[entry.number]

        def let_go(_: object = None) -> None:
            entry.segment.server_state = state
            entry.segment.close()
            then()

        if entry.stream is None:
            let_go()
        else:
            # The inference thread may be reading from the segment right now.
            self._then(self._engine.detach(entry.stream), let_go)

    def _then(self, future: Future, work: Callable[[Future], None]) -> None:  # type: ignore[type-arg]
        future.add_done_callback(lambda done: self._call(lambda: work(done)))

    # Checks of requests.

    def _of(self, client: bytes, number: int) -> OpenSession:
        entry = self._sessions.get(number)
        if entry is None or entry.client != client:
            raise _unknown(number)
        return entry

    def _attached(self, name: str, bundle: Bundle) -> wire.Segment:
        path = Path(name)
        if path.parent != self._folder or not path.name.startswith("segment-"):
            raise MessageError(
                "bad_segment",
                f"{name!r} is not a segment in {self._folder}.",
                "Plugin and server must use the same BANDMATE_RUNTIME_DIR.",
            )
        segment = wire.Segment.attach(path)  # its wire.Error is an answer by itself
        frame = bundle.frame
        shape = (segment.sample_rate, segment.channels, segment.frame_samples)
        wanted = (frame.sample_rate, frame.channels, frame.frame_samples)
        if shape != wanted:
            segment.close()
            raise MessageError(
                "bad_segment",
                f"The segment has {shape[0]} Hz, {shape[1]} channels and frames of {shape[2]}; "
                f"{bundle.name} has {wanted[0]} Hz, {wanted[1]} channels and {wanted[2]}.",
                "Run `bandmate plugin install` again and reload the plugin.",
            )
        return segment


def _short(text: str) -> str:
    """One line within the wire's limit."""
    line = " ".join(text.split())
    return line.encode()[: wire.TEXT_BYTES_MAXIMUM].decode(errors="ignore")


def _unknown(number: int) -> MessageError:
    return MessageError(
        "unknown_session", f"There is no session {number} of this client.", "Open one."
    )


def _described(name: str) -> Bundle:
    found = find_bundles()
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise MessageError(
            "unknown_model", f"There is no model {name!r}; there are: {known}.", "Choose another."
        )
    try:
        return found[name].load()
    except BundleError as error:
        raise MessageError("model_failed", str(error), "See `bandmate doctor`.") from error


def _frame(bundle: Bundle) -> messages.Frame:
    frame = bundle.frame
    return messages.Frame(
        sample_rate=frame.sample_rate,
        channels=frame.channels,
        frame_samples=frame.frame_samples,
        delay_samples=frame.delay_samples,
    )


def models() -> tuple[messages.ModelInfo, ...]:
    """Every model that can be opened. One that is broken or has no weights is left out."""
    described = []
    for name, found in sorted(find_bundles().items()):
        try:
            bundle = found.load()
            check_weights(bundle)
        except BundleError as error:
            log.debug("%s", error)
            continue
        cost = budget.known_ms(bundle) or 0.0
        described.append(messages.ModelInfo(name=name, frame=_frame(bundle), budget_ms=cost))
    return tuple(described[: wire.MODELS_MAXIMUM])
