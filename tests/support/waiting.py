# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str, limit: float = 90.0) -> T:
    """The first true value of `condition`.

    Raises:
        TimeoutError: it stayed false for `limit` seconds.
    """
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {limit:g} s in vain: {what}")
        time.sleep(0.02)
    return value
