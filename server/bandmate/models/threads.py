# SPDX-License-Identifier: GPL-3.0-or-later
"""How many threads a frame may use. Without MLX, which must be imported after the BLAS."""

from __future__ import annotations

import os


def threads() -> int:
    """Threads of one frame: as many as this process may run on, or BANDMATE_THREADS."""
    named = os.environ.get("BANDMATE_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
