# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec's feature: log magnitude of a Hann STFT in 384 bands, ten milliseconds a hop.

Bands are single bins up to 3.5 kHz, then triangular power means on a logarithmic grid to
16.5 kHz, where the ear no longer tells partials apart.
"""

from __future__ import annotations

import numpy as np
import torch

from bandmate.models.pico.features import band_matrix
from bandmate.models.pico.synthesis import SynthesisSpec

SAMPLE_RATE = 48_000
WINDOW = 2048
HOP = 480
HOPS_PER_FRAME = 4
FRAME = HOP * HOPS_PER_FRAME
LINEAR_BANDS = 150
BANDS = 384
TOP_HZ = 16_500.0
FLOOR = 2e-4  # amplitude; a full-scale sine has 1
LOG_LOW, LOG_HIGH = float(np.log(FLOOR)), 0.7
# Hop h of frame k is centred at k*FRAME + (h-1)*HOP: the last one ends 64 samples into the next
# frame, so that a frame's tokens know nothing of the next frame's notes.
FIRST_HOP_OFFSET = -HOP


SPEC = SynthesisSpec(SAMPLE_RATE, WINDOW, HOP, HOPS_PER_FRAME, LINEAR_BANDS, BANDS, TOP_HZ, FLOOR)


class FeatureExtractor:
    """Audio to log bands in PyTorch, quantised to bytes; the server has the same in numpy."""

    def __init__(self) -> None:
        self.window = torch.hann_window(WINDOW, periodic=True)
        self.matrix = torch.from_numpy(band_matrix(SPEC.band_centres(), SPEC.bins))
        self.scale = 2.0 / float(self.window.sum())

    def __call__(self, audio: np.ndarray, frames: int) -> np.ndarray:
        """Features of mono audio.

        Args:
            audio: [samples] float32 at 48 kHz.
            frames: number of 40 ms frames wanted; audio is zero padded to fit.

        Returns:
            uint8 [frames, HOPS_PER_FRAME, BANDS], LOG_LOW..LOG_HIGH mapped to 0..255.
        """
        hops = frames * HOPS_PER_FRAME
        before = WINDOW // 2 - FIRST_HOP_OFFSET
        need = (hops - 1) * HOP + WINDOW
        padded = np.zeros(need, np.float32)
        usable = min(len(audio), need - before)
        padded[before : before + usable] = audio[:usable]
        pieces = torch.from_numpy(padded).unfold(0, WINDOW, HOP)
        power = torch.fft.rfft(pieces * self.window).abs().mul_(self.scale).square_()
        bands = torch.log(torch.sqrt(power @ self.matrix) + FLOOR)
        unit = (bands - LOG_LOW) / (LOG_HIGH - LOG_LOW)
        coded = (unit.clamp(0, 1) * 255).round().to(torch.uint8)
        return coded.numpy().reshape(frames, HOPS_PER_FRAME, BANDS)
