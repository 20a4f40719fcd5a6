# SPDX-License-Identifier: GPL-3.0-or-later
"""A small pool that encodes prompts, so that a new prompt never delays a frame."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from bandmate.models.interface import StyleEncoder

THREADS = 2
REMEMBERED = 256  # embeddings kept; a prompt that comes back costs nothing
NICENESS = 10  # a frame goes before a prompt

Embedding = NDArray[np.float32] | NDArray[np.int32]


def step_back() -> None:
    """Lowers the calling thread's priority (on Linux; elsewhere it would be the process's)."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


class PromptPool:
    """Encodes texts in the background and remembers the results."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "prompts", initializer=step_back)
        self._known: OrderedDict[tuple[str, str], Embedding] = OrderedDict()
        self._lock = threading.Lock()

    def encode(
        self, model: str, encoder: StyleEncoder, texts: Mapping[int, str]
    ) -> Future[dict[int, Embedding]]:
        """Embeddings of a session's prompts.

        Args:
            model: name of the model; embeddings of different models are not mixed up.
            encoder: the model's style encoder.
            texts: text by slot; blank ones leave their slot empty.

        Returns:
            A future of embeddings [dim] by slot.
        """
        wanted = {slot: text.strip() for slot, text in texts.items() if text.strip()}
        return self._pool.submit(
            lambda: {slot: self._embedding(model, encoder, t) for slot, t in wanted.items()}
        )

    def close(self) -> None:
        """Forgets what waits and joins the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _embedding(self, model: str, encoder: StyleEncoder, text: str) -> Embedding:
        key = (model, text)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        embedding = encoder.encode_text(text)  # outside the lock: it takes its time
        with self._lock:
            self._known[key] = embedding
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return embedding
