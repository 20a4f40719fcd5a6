# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of how long notes take to their sound: a histogram for each block size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot as plt

BINS = 40


def draw(path: Path, result: dict[str, Any]) -> None:
    """Writes the picture as PNG.

    Args:
        path: where to; replaced if there.
        result: of `engine.latency_benchmark.benchmark_latency`.

    Raises:
        OSError: the file cannot be written.
    """
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    try:
        rows = [row for row in result["blocks"] if row["delays_ms"]]
        top = max((max(*row["delays_ms"], row["reported_ms"]) for row in rows), default=1.0)
        for row in rows:
            label = f"blocks of {row['block']}, {row['underruns']} underruns"
            _, _, bars = axes.hist(
                row["delays_ms"], BINS, range=(0, 1.1 * top), histtype="step", label=label
            )
            axes.axvline(row["reported_ms"], color=bars[0].get_edgecolor(), linestyle=":")
        axes.set(xlabel="ms from a note to its first sound (dotted: reported)", ylabel="notes")
        axes.set_title(
            f"{result['model']}, {result['timing']}, latency mode {result['mode']}, "
            f"load average {result['load_average']}"
        )
        axes.legend()
        figure.savefig(path, dpi=100)
    finally:
        plt.close(figure)
