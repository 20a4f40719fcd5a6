# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise for the magnitude codec: how its levels and phases go from hop to hop.

White noise goes round in a loop of ten seconds, made once: its spectra would be a tenth of a
frame's cost otherwise. A loop so long is not heard as one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LOOP_HOPS = 1024
TINY = np.float32(1e-6)


class NoiseLoop:
    """Levels and phases of hop after hop of white noise."""

    def __init__(self, window: Floats, hop: int, bins: int) -> None:
        """
        Args:
            window: [W] analysis window; its transform has as many samples.
            hop: samples.
            bins: how many are kept, from 0 Hz up.
        """
        rng = np.random.default_rng(0)
        loop = rng.standard_normal(LOOP_HOPS * hop).astype(np.float32)
        around = np.concatenate([loop, loop[: len(window)]])
        places = np.lib.stride_tricks.sliding_window_view(around, len(window))[:-1:hop]
        scale = np.float32(1 / np.sqrt(np.square(window).sum()))
        amplitudes = np.empty((LOOP_HOPS, bins), np.float32)
        self._phases = np.empty((LOOP_HOPS, bins), np.float32)
        centred = np.where(np.arange(bins) % 2 == 0, scale, -scale)  # phases at the window's centre
        for hop_index, place in enumerate(places):
            spectrum = np.fft.rfft(place * window)[:bins] * centred
            amplitudes[hop_index] = np.abs(spectrum)
            self._phases[hop_index] = np.angle(spectrum)
        # The mean of ln|X| of a complex Gaussian with unit power is -euler_gamma / 2.
        self._levels = np.log(amplitudes + TINY) + np.float32(np.euler_gamma / 2)

    def levels(self, first: int, hops: int) -> Floats:
        """Log magnitudes [hops, bins] around their mean, of the hops from `first` on."""
        return self._levels[np.arange(first, first + hops) % LOOP_HOPS]

    def phases(self, first: int, hops: int) -> Floats:
        """Phases [hops, bins] in radians, relative to the windows' centres."""
        return self._phases[np.arange(first, first + hops) % LOOP_HOPS]
