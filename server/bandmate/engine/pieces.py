# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work on the inference thread, a piece at a time, in the time that streams leave."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator
from enum import Enum, auto
from functools import partial
from typing import TypeVar

from bandmate.engine.engine import PATIENCE_SECONDS, Engine
from bandmate.engine.loading import LoadedModel

PAUSE_SECONDS = 0.002  # between tries while a stream's frame is near

REMEMBERED = 8  # lengths of the last pieces, of which the longest counts

T = TypeVar("T")


class _Outcome(Enum):
    """Of one try to make a piece."""

    MADE = auto()
    ENDED = auto()
    NO_TIME = auto()


def run_pieces(
    engine: Engine, work: Generator[None, None, T], given_up: threading.Event
) -> T | None:
    """Runs a generator on the inference thread to its end. Call on any other thread.

    A piece only begins while no frame that somebody listens to is due before such a piece would
    end, so nobody hears the work; where streams leave no time it waits for as long as they play.

    Args:
        given_up: ends the work early when set.

    Returns:
        The generator's result; None if it was given up.

    Raises:
        Exception: what the generator raised, or RuntimeError if the engine stops.
    """
    result: list[T] = []

    def piece(models: list[LoadedModel], seconds: float) -> _Outcome:
        if _is_due(models, seconds):
            return _Outcome.NO_TIME
        try:
            next(work)
        except StopIteration as end:
            result.append(end.value)
            return _Outcome.ENDED
        return _Outcome.MADE

    lengths: deque[float] = deque([PATIENCE_SECONDS], REMEMBERED)
    while not given_up.is_set():
        models = engine.loaded().result()
        begin = time.perf_counter()
        outcome = engine.post(partial(piece, models, min(max(lengths), PATIENCE_SECONDS))).result()
        if outcome is _Outcome.ENDED:
            return result[0]
        if outcome is _Outcome.MADE:
            lengths.append(time.perf_counter() - begin)
        else:
            time.sleep(PAUSE_SECONDS)
    return None


def _is_due(models: list[LoadedModel], seconds: float) -> bool:
    return any(
        0.0 <= stream.due_seconds() < seconds
        for model in models
        for stream in model.streams
        if not stream.is_patient
    )
