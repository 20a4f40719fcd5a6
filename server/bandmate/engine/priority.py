# SPDX-License-Identifier: GPL-3.0-or-later
"""The server goes before other programs, where the system lets it."""

from __future__ import annotations

import os
import resource
import sys
import threading

NICE = -10  # before everything a desktop runs, behind the audio threads, which are real time
# Linux counts RLIMIT_NICE from 1 (nice 19) to 40 (nice -20).
_LIMIT_ORIGIN = 20

ADVICE = (
    "Frames are made at ordinary priority. To raise it, put the line "
    f"'<your user name> - nice {NICE}' into /etc/security/limits.d/bandmate.conf and log in again."
)


def raise_priority() -> bool:
    """Raises the calling thread, and those it starts from now on; False if it may not be.

    Not a real-time class: a model that is too slow for this machine would then stop all else.
    """
    if not sys.platform.startswith("linux"):
        return False  # elsewhere nice values belong to processes, and only root may lower them
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    except OSError:
        return False
    return True


def may_raise() -> bool:
    """Whether `raise_priority` would succeed, without doing it."""
    if not sys.platform.startswith("linux"):
        return False
    soft, _ = resource.getrlimit(resource.RLIMIT_NICE)
    return os.geteuid() == 0 or soft == resource.RLIM_INFINITY or soft >= _LIMIT_ORIGIN - NICE
