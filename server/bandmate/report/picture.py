# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of a render: its waveform, and its spectrogram with the played notes drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from scipy.signal import spectrogram

from bandmate.report.notes import Note

matplotlib.use("Agg")  # no display needed

from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

LOWEST_PITCH, HIGHEST_PITCH = 24, 120
FLOOR_DB = -90.0
WINDOW_SAMPLES = 4096
SEMITONE = 2.0 ** (1 / 12)


def draw(
    path: Path,
    audio: NDArray[np.float32],
    sample_rate: int,
    notes: Sequence[Note],
    title: str,
) -> None:
    """Writes the picture as PNG.

    Args:
        path: where to; replaced if there.
        audio: [samples, channels], time 0 being the notes' time 0.
        sample_rate: in Hz.
        notes: what was played; drawn as boxes a semitone high at their fundamental.
        title: one line over the picture.

    Raises:
        OSError: the file cannot be written.
    """
    figure, (wave, spectrum) = plt.subplots(
        2, 1, figsize=(14, 8), height_ratios=(1, 3), sharex=True, layout="constrained"
    )
    try:
        _draw_waveform(wave, audio, sample_rate)
        wave.set_title(title)
        draw_spectrogram(spectrum, audio.mean(axis=1), sample_rate, notes)
        figure.savefig(path, dpi=100)
    finally:
        plt.close(figure)


def _draw_waveform(axes: plt.Axes, audio: NDArray[np.float32], sample_rate: int) -> None:
    """Draws each channel's extremes per stretch of time: a line through every sample would lie."""
    stretch = max(1, len(audio) // 2800)
    usable = len(audio) // stretch * stretch
    times = np.arange(usable // stretch) * stretch / sample_rate
    for channel, name in zip(range(audio.shape[1]), ("left", "right"), strict=False):
        parts = audio[:usable, channel].reshape(-1, stretch)
        low, high = parts.min(axis=1), parts.max(axis=1)
        axes.fill_between(times, low, high, alpha=0.6, linewidth=0, label=name)
    loudest = max(0.05, float(np.abs(audio).max(initial=0.0)) * 1.05)
    axes.set_ylim(-loudest, loudest)
    axes.set_xlim(0, len(audio) / sample_rate)
    axes.set_ylabel("sample value")
    axes.legend(loc="upper right")


def draw_spectrogram(
    axes: plt.Axes, mono: NDArray[np.float32], sample_rate: int, notes: Sequence[Note]
) -> None:
    """Draws a spectrogram of a mono sound with a box for each note over it, and its scale."""
    if len(mono) < WINDOW_SAMPLES:
        mono = np.pad(mono, (0, WINDOW_SAMPLES - len(mono)))
    frequencies, times, power = spectrogram(
        mono,
        sample_rate,
        nperseg=WINDOW_SAMPLES,
        noverlap=WINDOW_SAMPLES * 7 // 8,
        scaling="spectrum",
    )
    level = 10 * np.log10(power + 1e-12)
    mesh = axes.pcolormesh(
        times, frequencies[1:], level[1:], vmin=FLOOR_DB, vmax=-20, cmap="magma", shading="nearest"
    )
    axes.figure.colorbar(mesh, ax=axes, label="dB", pad=0.01)
    axes.set_yscale("log")
    axes.set_ylim(_hz(LOWEST_PITCH), _hz(HIGHEST_PITCH))
    axes.set_ylabel("Hz; boxes: the notes played")
    axes.set_xlabel("seconds")
    for note in notes:
        axes.add_patch(_box(note))


def _box(note: Note) -> Rectangle:
    low, high = _hz(note.pitch) / SEMITONE**0.5, _hz(note.pitch) * SEMITONE**0.5
    return Rectangle(
        (note.start, low),
        max(note.end - note.start, 0.01),
        high - low,
        fill=False,
        edgecolor="#40e0ff",
        linewidth=0.9,
    )


def _hz(pitch: int) -> float:
    return 440.0 * 2.0 ** ((pitch - 69) / 12)
