# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference thread: it alone steps and frees models; reading weights is another thread's.

Everyone else posts requests to its queue or hands it streams. Between requests it steps all streams
whose next frame can be made, those of one model together as a batch.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from bandmate.engine.batch import Failed, Job, run_batch
from bandmate.engine.loading import LoadedModel, Measure, ModelShelf
from bandmate.engine.overload import OverloadGuard
from bandmate.engine.stream import Stream

log = logging.getLogger(__name__)

POLL_SECONDS = 0.0005  # step of an engine that has nothing better to wait on
REQUEST_SECONDS = 0.005  # requests are served at least this often while streams play
GATHER_SECONDS = 0.001  # and waits at most this much for another stream to share its batch
MAX_BATCH = 8
STEP_DECAY = 0.99  # the longest of the recent steps is remembered, and slowly forgotten
PATIENCE_SECONDS = 0.02  # streams that can wait do so at most this long before another's frame
COLLECT_SECONDS = 2.0  # garbage is collected between frames, at most this often
COLLECT_ROOM_SECONDS = 0.01  # and only when the next frame is at least so far away

T = TypeVar("T")
Wait = Callable[[Sequence[Stream], float], None]


def _pass_error(asked: Future[None], wanted: Future[LoadedModel]) -> None:
    error = asked.exception()
    if error is not None and not wanted.done():
        wanted.set_exception(error)


class Engine:
    """Owner of the inference thread. Use as a context manager, or call `start` and `stop`."""

    def __init__(
        self,
        wait: Wait | None = None,
        measure: Measure = Measure.UNKNOWN,
        precision: str | None = None,
    ) -> None:
        """Args:
        wait: returns when one of the streams may be ready, at the latest after the given seconds;
            must release the GIL. Without it the engine sleeps in short steps.
        measure: when to measure and store the frame budget of a model that loads.
        precision: of the models that load, see `engine.precision.wanted`.
        """
        self._wait = wait or (lambda _, seconds: time.sleep(min(seconds, POLL_SECONDS)))
        self._requests: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = (
            queue.SimpleQueue()
        )
        self._overload = OverloadGuard()
        self._shelf = ModelShelf(measure, precision)
        self.beat = time.monotonic()  # when the inference thread last came round
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._collected_at = time.monotonic()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the inference thread."""
        self._thread.start()

    def stop(self) -> None:
        """Fails the streams that are left, frees the models and joins the thread."""
        self._stopping.set()
        with contextlib.suppress(RuntimeError):  # never started
            self._thread.join()
        while True:
            try:  # posted while the thread was ending
                future, _ = self._requests.get_nowait()
            except queue.Empty:
                return
            future.set_exception(RuntimeError("the engine is stopping"))

    def post(self, work: Callable[[], T]) -> Future[T]:
        """Runs `work` on the inference thread between two frames."""
        future: Future[T] = Future()
        if self._stopping.is_set():
            future.set_exception(RuntimeError("the engine is stopping"))
        else:
            self._requests.put((future, work))
        return future

    def load(self, name: str) -> Future[LoadedModel]:
        """The model called `name`, loaded once. Fails with BundleError."""
        future: Future[LoadedModel] = Future()
        asked = self.post(lambda: self._shelf.ask_for(name, future))
        asked.add_done_callback(lambda done: _pass_error(done, future))
        return future

    def attach(self, model: LoadedModel, stream: Stream) -> Future[None]:
        """Begins to step a stream."""
        return self.post(lambda: self._attach(model, stream))

    def detach(self, stream: Stream) -> Future[bool]:
        """Takes a stream out, between two frames; False if it was not in (any more)."""
        return self.post(lambda: self._detach(stream))

    def loaded(self) -> Future[list[LoadedModel]]:
        """The models in memory."""
        return self.post(lambda: self._shelf.models)

    # What follows runs on the inference thread.

    def _run(self) -> None:
        automatic = gc.isenabled()
        gc.disable()  # a collection in the middle of a frame would make it late
        try:
            while not self._stopping.is_set():
                self.beat = time.monotonic()
                self._serve_requests(block=not self._streams() and not self._shelf.is_loading)
                self._shelf.go_on()
                if not self._step_ready():
                    self._idle()
        finally:
            if automatic:
                gc.enable()
            for model in self._shelf.models:
                for stream in model.streams:
                    stream.fail("The server is shutting down.")
            self._serve_requests(block=False)
            self._shelf.clear(RuntimeError("the engine is stopping"))

    def _streams(self) -> list[Stream]:
        return [stream for model in self._shelf.models for stream in model.streams]

    def _idle(self) -> None:
        """Until a stream may be ready. Whatever goes wrong here must not end the thread of all."""
        # Asked for only now: who was taken out by a request a moment ago is closed already.
        streams = self._streams()
        try:
            self._tidy(streams)
            if streams:
                self._wait(streams, REQUEST_SECONDS)
            elif self._shelf.is_loading and self._shelf.is_waiting:
                time.sleep(POLL_SECONDS)
        except Exception:
            log.exception("waiting for input failed")
            time.sleep(REQUEST_SECONDS)  # a fault that lasts must not take a core

    def _serve_requests(self, block: bool) -> None:
        # Without streams there is nothing to poll for: sleep until a request comes.
        timeout = 0.1 if block else 0.0
        while True:
            try:
                future, work = self._requests.get(block=timeout > 0.0, timeout=timeout or None)
            except queue.Empty:
                return
            timeout = 0.0
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)

    def _attach(self, model: LoadedModel, stream: Stream) -> None:
        if model not in self._shelf.models:
            raise RuntimeError(f"{model.bundle.name} was unloaded meanwhile")
        model.streams.append(stream)
        self._overload.joined(stream)

    def _detach(self, stream: Stream) -> bool:
        self._overload.left(stream)
        return any(model.leave(stream) for model in self._shelf.models)

    def _step_ready(self) -> bool:
        stepped = False
        for model in self._shelf.models:
            ready = [s for s in model.streams if self._guarded(model, s, s.ready)]
            if not ready or self._better_wait(model, ready):
                continue
            ready = self._gather(model, ready)
            for begin in range(0, len(ready), MAX_BATCH):
                self._step_batch(model, ready[begin : begin + MAX_BATCH])
            stepped = True
        return stepped

    def _better_wait(self, model: LoadedModel, ready: Sequence[Stream]) -> bool:
        """Whether a step for streams that can wait would make one that cannot late."""
        if not all(stream.is_patient for stream in ready):
            return False
        soon = min(model.step_seconds, PATIENCE_SECONDS)
        return any(
            0.0 <= stream.due_seconds() < soon
            for other in self._shelf.models
            for stream in other.streams
            if not stream.is_patient
        )

    def _gather(self, model: LoadedModel, ready: list[Stream]) -> list[Stream]:
        """Waits a moment for streams whose input is nearly complete: one batch beats two."""
        until = time.monotonic() + GATHER_SECONDS
        while time.monotonic() < until:
            others = [s for s in model.streams if s not in ready]
            if not any(self._guarded(model, s, s.imminent) for s in others):
                break
            self._wait(others, GATHER_SECONDS)
            ready = ready + [s for s in others if self._guarded(model, s, s.ready)]
        return ready

    def _step_batch(self, model: LoadedModel, streams: Sequence[Stream]) -> None:
        jobs = []
        for stream in streams:
            if taken := self._guarded(model, stream, stream.take):
                jobs.append(Job(stream, *taken))
        if not jobs:
            return
        begin = time.perf_counter()
        results = run_batch(model.model, jobs)
        seconds = time.perf_counter() - begin
        model.step_seconds = max(seconds, model.step_seconds * STEP_DECAY)
        for result in results:
            if isinstance(result, Failed):
                self._fail(model, result.stream, result.error)
            else:
                deliver = partial(result.stream.deliver, result.audio, result.state, seconds * 1e3)
                self._guarded(model, result.stream, deliver)
        self._overload.look()

    def _guarded(self, model: LoadedModel, stream: Stream, work: Callable[[], T]) -> T | None:
        """Runs a stream's own code; if it fails that stream ends and the others go on."""
        try:
            return work()
        except Exception as error:
            self._fail(model, stream, error)
            return None

    def _fail(self, model: LoadedModel, stream: Stream, error: Exception) -> None:
        log.error("a stream of %s failed", model.bundle.name, exc_info=error)
        model.leave(stream)
        self._overload.left(stream)
        try:
            stream.fail(f"A frame failed: {error}.")
        except Exception:
            log.exception("a failed stream could not be told so")

    def _tidy(self, streams: Sequence[Stream]) -> None:
        now = time.monotonic()
        # Right after a frame, never shortly before the next.
        idle = all(s.is_patient or s.due_seconds() > COLLECT_ROOM_SECONDS for s in streams)
        overdue = now - self._collected_at > 10 * COLLECT_SECONDS
        if now - self._collected_at > COLLECT_SECONDS and (idle or overdue):
            gc.collect(1 if streams else 2)
            self._collected_at = now
        self._shelf.unload_unused()
