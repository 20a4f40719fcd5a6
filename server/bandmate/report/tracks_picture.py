# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of what several tracks cost: frame time and memory against the number of tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot as plt

ROWS = (("tracks", "one server", "o-"), ("separate", "a server each", "s--"))


def draw(path: Path, result: dict[str, Any], frame_ms: float) -> None:
    """Writes the picture as PNG.

    Args:
        path: where to; replaced if there.
        result: of `engine.tracks_benchmark.benchmark_tracks`.
        frame_ms: a frame's length: who needs longer is not live.

    Raises:
        OSError: the file cannot be written.
    """
    figure, (times, memory) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    try:
        for key, label, style in ROWS:
            rows = result[key]
            counts = [row["n"] for row in rows]
            (line,) = times.plot(counts, [r["frame_ms"]["p50"] for r in rows], style, label=label)
            p99 = [r["frame_ms"]["p99"] for r in rows]
            times.plot(counts, p99, ":", color=line.get_color(), label=f"{label}, 99th percentile")
            memory.plot(counts, [r["memory_mb"] for r in rows], style, label=label)
        times.axhline(frame_ms, color="grey", linewidth=1, label="a frame's length")
        times.set(xlabel="tracks", ylabel="ms for a frame of all", ylim=(0, None))
        memory.set(xlabel="tracks", ylabel="MB, servers and hosts", ylim=(0, None))
        times.set_title(f"{result['model']}, load average {result['load_average']}")
        for axes in (times, memory):
            axes.legend()
        figure.savefig(path, dpi=100)
    finally:
        plt.close(figure)
