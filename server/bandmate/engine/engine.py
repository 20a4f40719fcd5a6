# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference thread: it alone loads, steps and frees models.

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
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bandmate.engine import blas, budget
from bandmate.engine.stream import Stream
from bandmate.models.bundle import Bundle
from bandmate.models.interface import FrameControls, Model, StyleEncoder
from bandmate.models.registry import find_bundle, load_model

log = logging.getLogger(__name__)

POLL_SECONDS = 0.0005  # step of an engine that has nothing better to wait on
REQUEST_SECONDS = 0.005  # requests are served at least this often while streams play
GATHER_SECONDS = 0.001  # and waits at most this much for another stream to share its batch
MAX_BATCH = 8
UNLOAD_SECONDS = 300.0  # a model nobody has used for so long gives its memory back
COLLECT_SECONDS = 2.0  # garbage is collected between frames, at most this often

T = TypeVar("T")
Wait = Callable[[Sequence[Stream], float], None]


class Measure(Enum):
    """When an engine measures what a frame of a loading model costs."""

    NEVER = auto()
    UNKNOWN = auto()  # only if `engine.json` does not know: a restart shall be quick
    ALWAYS = auto()


@dataclass(eq=False)
class LoadedModel:
    """One bundle in memory, shared by all its streams.

    Attributes:
        bundle: its description.
        model: its weights; inference thread only.
        encoder: its style encoder, None for a model without styles.
        budget_ms: what a frame may cost, see `engine.budget`.
        streams: those being stepped.
        used_at: monotonic time when the last stream left.
    """

    bundle: Bundle
    model: Model
    encoder: StyleEncoder | None
    budget_ms: float
    streams: list[Stream] = field(default_factory=list)
    used_at: float = field(default_factory=time.monotonic)


@dataclass(eq=False)
class _Loading:
    pieces: Generator[None, None, LoadedModel]
    waiting: list[Future[LoadedModel]] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    stream: Stream
    controls: FrameControls
    state: Any


def _pass_error(asked: Future[None], wanted: Future[LoadedModel]) -> None:
    error = asked.exception()
    if error is not None and not wanted.done():
        wanted.set_exception(error)


class Engine:
    """Owner of the inference thread. Use as a context manager, or call `start` and `stop`."""

    def __init__(self, wait: Wait | None = None, measure: Measure = Measure.UNKNOWN) -> None:
        """Args:
        wait: returns when one of the streams may be ready, at the latest after the given seconds;
            must release the GIL. Without it the engine sleeps in short steps.
        measure: when to measure and store the frame budget of a model that loads.
        """
        self._wait = wait or (lambda _, seconds: time.sleep(min(seconds, POLL_SECONDS)))
        self._measure = measure
        self._requests: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = (
            queue.SimpleQueue()
        )
        self._models: dict[str, LoadedModel] = {}
        self._loading: dict[str, _Loading] = {}
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
        asked = self.post(lambda: self._ask_for(name, future))
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
        return self.post(lambda: list(self._models.values()))

    # What follows runs on the inference thread.

    def _run(self) -> None:
        automatic = gc.isenabled()
        gc.disable()  # a collection in the middle of a frame would make it late
        try:
            while not self._stopping.is_set():
                streams = [s for model in self._models.values() for s in model.streams]
                self.beat = time.monotonic()
                self._serve_requests(block=not streams and not self._loading)
                self._go_on_loading()
                if not self._step_ready():
                    self._tidy(busy=bool(streams))
                    if streams:
                        self._wait(streams, REQUEST_SECONDS)
        finally:
            if automatic:
                gc.enable()
            for model in self._models.values():
                for stream in model.streams:
                    stream.fail("The server is shutting down.")
            self._serve_requests(block=False)
            for loading in self._loading.values():
                for future in loading.waiting:
                    future.set_exception(RuntimeError("the engine is stopping"))
            self._loading.clear()
            self._models.clear()

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

    def _ask_for(self, name: str, future: Future[LoadedModel]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        if name in self._models:
            self._models[name].used_at = time.monotonic()
            future.set_result(self._models[name])
        else:
            loading = self._loading.setdefault(name, _Loading(self._load(name)))
            loading.waiting.append(future)

    def _go_on_loading(self) -> None:
        """One more piece of each load under way, so that streams are stepped in between."""
        for name, loading in list(self._loading.items()):
            try:
                next(loading.pieces)
            except StopIteration as end:
                del self._loading[name]
                for future in loading.waiting:
                    future.set_result(end.value)
            except Exception as error:
                del self._loading[name]
                for future in loading.waiting:
                    future.set_exception(error)

    def _load(self, name: str) -> Generator[None, None, LoadedModel]:
        begin = time.perf_counter()
        bundle = find_bundle(name)
        fast = blas.activate()  # before the family's module imports MLX
        if not fast.fast:
            log.warning("matrix products are slow here (%s): %s", fast.name, fast.hint)
        model, encoder = load_model(bundle)
        yield
        known = budget.known_ms(bundle)
        wanted = self._measure is Measure.ALWAYS or (
            self._measure is Measure.UNKNOWN and known is None
        )
        times = []
        for milliseconds in budget.measure(model, bundle, budget.MEASURED_FRAMES if wanted else 0):
            times.append(milliseconds)
            yield
        if wanted:
            known = self._stored(bundle, budget.budget_ms(times))
        loaded = LoadedModel(bundle, model, encoder, known or 0.0)
        self._models[name] = loaded
        # Weights and modules live long: keep them out of every later collection.
        gc.collect()
        gc.freeze()
        log.info("loaded %s in %.2f s", name, time.perf_counter() - begin)
        return loaded

    def _stored(self, bundle: Bundle, measured_ms: float) -> float:
        try:
            return budget.store(bundle, measured_ms) or measured_ms
        except budget.EngineFileError as error:
            log.warning("%s", error)  # only the next plugin's latency suffers
            return measured_ms

    def _attach(self, model: LoadedModel, stream: Stream) -> None:
        if self._models.get(model.bundle.name) is not model:
            raise RuntimeError(f"{model.bundle.name} was unloaded meanwhile")
        model.streams.append(stream)

    def _detach(self, stream: Stream) -> bool:
        for model in self._models.values():
            if stream in model.streams:
                model.streams.remove(stream)
                model.used_at = time.monotonic()
                return True
        return False

    def _step_ready(self) -> bool:
        stepped = False
        for model in list(self._models.values()):
            ready = [s for s in model.streams if self._guarded(model, s, s.ready)]
            if not ready:
                continue
            ready = self._gather(model, ready)
            for begin in range(0, len(ready), MAX_BATCH):
                self._step_batch(model, ready[begin : begin + MAX_BATCH])
            stepped = True
        return stepped

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
            taken = self._guarded(model, stream, stream.take)
            if taken:
                controls, state = taken
                jobs.append(
                    _Job(stream, controls, model.model.init_state() if state is None else state)
                )
        if not jobs:
            return
        begin = time.perf_counter()
        try:
            results = list(self._step(model, jobs))
        except Exception as error:
            if len(jobs) == 1:
                self._fail(model, jobs[0].stream, error)
                return
            # Somebody in the batch is at fault. States are untouched: find out who, one by one.
            log.exception("a batch of %d failed; stepping its streams alone", len(jobs))
            results = []
            for job in jobs:
                try:
                    results.extend(self._step(model, [job]))
                except Exception as alone:
                    self._fail(model, job.stream, alone)
        milliseconds = (time.perf_counter() - begin) * 1e3
        for stream, audio, state in results:
            self._guarded(model, stream, partial(stream.deliver, audio, state, milliseconds))

    def _step(
        self, model: LoadedModel, jobs: Sequence[_Job]
    ) -> Iterator[tuple[Stream, NDArray[np.float32], Any]]:
        controls = [job.controls for job in jobs]
        states = [job.state for job in jobs]
        # A model that compiles one graph per batch size names the sizes it has; fill up to one.
        sizes: Sequence[int] = getattr(model.model, "batch_sizes", ())
        spare = next((size for size in sizes if size >= len(jobs)), len(jobs)) - len(jobs)
        frames, after = model.model.step(
            [*controls, *controls[:1] * spare], [*states, *states[:1] * spare]
        )
        spec = model.bundle.frame
        for job, audio, state in zip(jobs, frames, after, strict=False):
            if audio.shape != (spec.frame_samples, spec.channels):
                raise ValueError(f"a frame of shape {audio.shape} came out of the model")
            if not np.isfinite(audio).all():
                raise ValueError("the model's sound is not a number")
            yield job.stream, audio, state

    def _guarded(self, model: LoadedModel, stream: Stream, work: Callable[[], T]) -> T | None:
        """Runs a stream's own code; if it fails that stream ends and the others go on."""
        try:
            return work()
        except Exception as error:
            self._fail(model, stream, error)
            return None

    def _fail(self, model: LoadedModel, stream: Stream, error: Exception) -> None:
        log.error("a stream of %s failed", model.bundle.name, exc_info=error)
        if stream in model.streams:
            model.streams.remove(stream)
            model.used_at = time.monotonic()
        try:
            stream.fail(f"A frame failed: {error}.")
        except Exception:
            log.exception("a failed stream could not be told so")

    def _tidy(self, busy: bool) -> None:
        now = time.monotonic()
        if now - self._collected_at > COLLECT_SECONDS:
            gc.collect(1 if busy else 2)
            self._collected_at = now
        for name, model in list(self._models.items()):
            if not model.streams and now - model.used_at > UNLOAD_SECONDS:
                del self._models[name]
                log.info("unloaded %s", name)
                gc.unfreeze()
                gc.collect()
                gc.freeze()
