# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed command must say: one line, for a person."""

from __future__ import annotations

import subprocess


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line a failed command printed.

    Raises:
        AssertionError: it did not fail, or said it in another way.
    """
    assert done.returncode not in (0, -6, -11), (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Rendering")]  # the progress bar
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bandmate: "), lines
    assert len(lines[0]) > len("bandmate: ") + 20, "say what to do as well"
    return lines[0]
