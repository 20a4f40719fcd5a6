# SPDX-License-Identifier: GPL-3.0-or-later
"""The models in memory: loaded once, piece by piece, and freed when nobody uses them."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto

from bandmate.engine import blas, budget
from bandmate.engine.precision import settle
from bandmate.engine.stream import Stream
from bandmate.models.bundle import PRECISIONS, Bundle
from bandmate.models.interface import Model, StyleEncoder
from bandmate.models.registry import find_bundle, has_large_products, load_model

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 300.0  # a model nobody has used for so long gives its memory back


Pieces = Generator[None, None, "LoadedModel"]
Parts = tuple[Model, StyleEncoder | None]


class Measure(Enum):
    """When it is measured what a frame of a loading model costs."""

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
        budget_ms: what a frame may cost, see `engine.budget`; 0 if that is not known.
        precision: the form its weights are held in, see `engine.precision`.
        streams: those being stepped.
        used_at: monotonic time when the last stream left.
        step_seconds: about the longest of the recent steps.
    """

    bundle: Bundle
    model: Model
    encoder: StyleEncoder | None
    budget_ms: float
    precision: str
    streams: list[Stream] = field(default_factory=list)
    used_at: float = field(default_factory=time.monotonic)
    step_seconds: float = 0.0

    def leave(self, stream: Stream) -> bool:
        """Takes a stream out; False if it was not in."""
        if stream not in self.streams:
            return False
        self.streams.remove(stream)
        self.used_at = time.monotonic()
        return True


@dataclass(eq=False)
class _Loading:
    pieces: Pieces
    waiting: list[Future[LoadedModel]] = field(default_factory=list)


class ModelShelf:
    """Models by name. Inference thread only.

    Weights are read on a thread of the shelf's own: a second or more, during which streams go on.
    """

    def __init__(self, measure: Measure, precision: str | None = None) -> None:
        """`precision`: see `engine.precision.wanted`."""
        self._measure = measure
        self._precision = precision
        self._models: dict[str, LoadedModel] = {}
        self._loading: dict[str, _Loading] = {}
        self._reader = ThreadPoolExecutor(1, "model-loading")
        self._reading: set[Future[Parts]] = set()

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are whole in memory."""
        return list(self._models.values())

    @property
    def is_loading(self) -> bool:
        """Whether `go_on` has work to do."""
        return bool(self._loading)

    @property
    def is_waiting(self) -> bool:
        """Whether `go_on` only looks whether weights have been read."""
        return len(self._reading) == len(self._loading)

    def ask_for(self, name: str, future: Future[LoadedModel]) -> None:
        """Fulfils the future with the model, now or when it is loaded."""
        if not future.set_running_or_notify_cancel():
            return
        if name in self._models:
            self._models[name].used_at = time.monotonic()
            future.set_result(self._models[name])
        else:
            loading = self._loading.setdefault(name, _Loading(self._load(name)))
            loading.waiting.append(future)

    def go_on(self) -> None:
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

    def unload_unused(self) -> None:
        """Frees models that no stream has used for `UNLOAD_SECONDS`."""
        now = time.monotonic()
        for name, model in list(self._models.items()):
            if not model.streams and now - model.used_at > UNLOAD_SECONDS:
                del self._models[name]
                log.info("unloaded %s", name)
                gc.unfreeze()
                gc.collect()
                gc.freeze()

    def clear(self, error: Exception) -> None:
        """Lets go of everything; loads under way fail with `error`."""
        for loading in self._loading.values():
            for future in loading.waiting:
                future.set_exception(error)
        self._loading.clear()
        self._models.clear()
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _read(self, bundle: Bundle, precision: str) -> Generator[None, None, Parts]:
        others = any(has_large_products(model.bundle) for model in self._models.values())
        reading = self._reader.submit(load_on_fast_blas, bundle, others, precision)
        self._reading.add(reading)
        try:
            while not reading.done():
                yield
        finally:
            self._reading.remove(reading)
        return reading.result()

    def _load(self, name: str) -> Pieces:
        begin = time.perf_counter()
        bundle = find_bundle(name)
        precision = yield from settle(
            bundle, self._precision, lambda name: self._read(bundle, name)
        )
        model, encoder = yield from self._read(bundle, precision)
        known = budget.known_ms(bundle)
        wanted = self._measure is Measure.ALWAYS or (
            self._measure is Measure.UNKNOWN and known is None
        )
        times = []
        for milliseconds in budget.measure(model, bundle, budget.MEASURED_FRAMES if wanted else 0):
            times.append(milliseconds)
            yield
        if wanted:
            known = _stored(bundle, budget.budget_ms(times, bundle.frame, played=False))
        self._models[name] = LoadedModel(bundle, model, encoder, known or 0.0, precision)
        # Weights and modules live long: keep them out of every later collection.
        if not any(other.streams for other in self._models.values()):
            gc.collect()  # it takes longer than a frame has time
        gc.freeze()
        log.info("loaded %s (%s) in %.2f s", name, precision, time.perf_counter() - begin)
        return self._models[name]


def load_on_fast_blas(
    bundle: Bundle, others_need_threads: bool = False, precision: str = PRECISIONS[0]
) -> tuple[Model, StyleEncoder | None]:
    """Loads a model with the matrix library set up for it.

    Args:
        bundle: its description.
        others_need_threads: another model in memory has large products.
        precision: the form of its weights, one of PRECISIONS.

    Raises:
        BundleError: the model cannot be loaded.
    """
    fast = blas.activate()  # before the family's module imports MLX
    if not fast.fast:
        log.warning("matrix products are slow here (%s): %s", fast.name, fast.hint)
    many = others_need_threads or has_large_products(bundle)
    blas.set_large_product_threads((os.cpu_count() or 1) if many else 1)
    return load_model(bundle, precision)


def _stored(bundle: Bundle, measured_ms: float) -> float:
    try:
        return budget.store(bundle, measured_ms) or measured_ms
    except budget.EngineFileError as error:
        log.warning("%s", error)  # only the next plugin's latency suffers
        return measured_ms
