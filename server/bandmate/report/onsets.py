# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notes start in a recording, measured against where they were written.

For each note the energy around its fundamental and first overtones is followed in time with a
symmetric window; a sudden start makes the steepest rise fall on the onset itself. This measures
timing, to about 3 ms, not whether the right notes sound: a transcriber grades that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from bandmate.report.notes import Note

WINDOW_SECONDS = 0.032  # long enough to tell a low note's partials from its neighbours'
HOP_SECONDS = 0.001
SEARCH_SECONDS = 0.08  # an onset further away than this belongs to something else
PARTIALS = 4
AUDIBLE_DB = 40.0  # what is further under a note's loudest is not heard as its start
RISE_DB = 6.0  # a rise smaller than this is not a note's start


@dataclass(frozen=True)
class OnsetReport:
    """Timing of the notes that could be found.

    Attributes:
        errors_ms: heard minus written, one for each note found, in milliseconds.
        written: how many notes were looked for.
    """

    errors_ms: NDArray[np.float64]
    written: int

    @property
    def found(self) -> int:
        return len(self.errors_ms)

    @property
    def median_ms(self) -> float:
        """The middle error; NaN if no note was found."""
        return float(np.median(self.errors_ms)) if self.found else float("nan")

    @property
    def spread_ms(self) -> float:
        """Nine in ten errors are no larger than this; NaN if no note was found."""
        return float(np.percentile(np.abs(self.errors_ms), 90)) if self.found else float("nan")


def measure_onsets(
    audio: NDArray[np.float32], sample_rate: int, notes: Sequence[Note]
) -> OnsetReport:
    """Measures when each note starts.

    Args:
        audio: [samples] or [samples, channels], time 0 being the written notes' time 0.
        sample_rate: in Hz.
        notes: what was played.

    Returns:
        The errors of those notes whose start shows. A note struck while the same pitch (or one
        sharing its partials) still sounds may hide; it is counted as written but not found.
    """
    mono = audio.mean(axis=1) if audio.ndim == 2 else audio
    hop = max(1, round(HOP_SECONDS * sample_rate))
    length = round(WINDOW_SECONDS * sample_rate) // 2 * 2 + 1
    transform = ShortTimeFFT(hann(length, sym=True), hop, sample_rate, fft_mode="onesided")
    reach = round(SEARCH_SECONDS / HOP_SECONDS)
    step = round(WINDOW_SECONDS / HOP_SECONDS / 2)  # a rise is seen over half a window each side
    margin = (reach + step + 2) * hop + length
    padded = np.pad(mono.astype(np.float64), margin)
    errors = []
    for note in notes:
        centre = round(note.start * sample_rate) + margin
        if centre + margin > len(padded):
            continue
        piece = padded[centre - margin : centre + margin + 1]
        power = np.abs(transform.stft(piece)) ** 2
        times = transform.t(len(piece)) - margin / sample_rate
        level = 10 * np.log10(
            power[_bands(note.pitch, transform.f, sample_rate)].sum(axis=0) + 1e-9
        )
        near = np.abs(times) <= SEARCH_SECONDS
        # Out of silence the steepest rise in dB would be that of the first trace of a sound
        level = np.maximum(level, level[near].max() - AUDIBLE_DB)
        rise = np.zeros_like(level)
        rise[step:-step] = level[2 * step :] - level[: -2 * step]
        places = np.flatnonzero(near)
        best = places[_middle_of_peak(rise[places])]
        if rise[best] >= RISE_DB:
            errors.append(times[best] * 1e3)
    return OnsetReport(np.array(errors), len(notes))


def _bands(pitch: int, frequencies: NDArray, sample_rate: int) -> NDArray[np.bool_]:
    """Bins within one bin of the pitch's first partials."""
    fundamental = 440.0 * 2.0 ** ((pitch - 69) / 12)
    width = frequencies[1] - frequencies[0]
    chosen = np.zeros(len(frequencies), bool)
    for partial in range(1, PARTIALS + 1):
        if partial * fundamental < sample_rate / 2:
            chosen |= np.abs(frequencies - partial * fundamental) <= width
    return chosen


def _middle_of_peak(rise: NDArray) -> int:
    """Index of the largest value; the middle of the plateau where it is flat (silence before)."""
    top = np.flatnonzero(rise >= rise.max() - 0.5)
    first = int(np.argmax(rise))
    run = [first]
    for index in top[top > first]:
        if index != run[-1] + 1:
            break
        run.append(int(index))
    return run[len(run) // 2]
