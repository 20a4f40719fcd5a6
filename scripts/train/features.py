# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec's features: log magnitude of a Hann STFT in 384 bands, ten milliseconds a hop.

Bands are single bins up to 3.5 kHz, then triangular power means on a logarithmic grid to
16.5 kHz, where the ear no longer tells partials apart. They are of the mid signal, (L + R) / 2; how
left and right differ is told once a frame for each of 16 regions.
"""

from __future__ import annotations

import numpy as np
import torch

from bandmate.models.pico.features import band_matrix
from bandmate.models.pico.stereo import region_matrix, stereo_levels
from bandmate.models.pico.synthesis import SynthesisSpec

SAMPLE_RATE = 48_000
# Long enough to tell the partials of a chord apart (2048 samples cost a third of its onsets)
WINDOW = 2880
OUTPUT_WINDOW, OUTPUT_SHIFT = 960, 240
HOP = 480
HOPS_PER_FRAME = 4
FRAME = HOP * HOPS_PER_FRAME
LINEAR_BANDS = 210
BANDS = 384
TOP_HZ = 16_500.0
# Amplitudes; a full-scale sine has 1. Between partials lies what nobody hears: with a floor of 2e-4
# everywhere codes were spent on it, and chords lost 4 % of their onsets.
FLOOR, HIGH_FLOOR = 2e-3, 2e-4
REGIONS = 16
LOG_LOW, LOG_HIGH = float(np.log(HIGH_FLOOR)), 0.7
# Centre of a frame's first hop. The last one then lies 720 samples before the frame's end: its
# window sees a little of the next frame's notes, which the language model cannot know and leaves
# out; in return a frame is heard soon.
FIRST_HOP_OFFSET = -HOP // 2
FLAT_DB, FLAT_HIGH_DB = (2.0, 5.0), (12.0, 24.0)
ATTACK_LEAD = 120  # of the notes of a piano, a guitar and a vibraphone: 2.5 ms


SPEC = SynthesisSpec(
    sample_rate=SAMPLE_RATE,
    window=WINDOW,
    output_window=OUTPUT_WINDOW,
    output_shift=OUTPUT_SHIFT,
    hop=HOP,
    hops_per_frame=HOPS_PER_FRAME,
    first_hop=FIRST_HOP_OFFSET,
    linear_bands=LINEAR_BANDS,
    bands=BANDS,
    top_hz=TOP_HZ,
    floor=FLOOR,
    high_floor=HIGH_FLOOR,
    flat_db=FLAT_DB,
    flat_high_db=FLAT_HIGH_DB,
    attack_lead=ATTACK_LEAD,
    stereo_regions=REGIONS,
)


class FeatureExtractor:
    """Audio to log bands in PyTorch, quantised to bytes; the server has the same in numpy."""

    def __init__(self) -> None:
        self.window = torch.hann_window(WINDOW, periodic=True)
        self.matrix = torch.from_numpy(band_matrix(SPEC.band_centres(), SPEC.bins))
        self.floors = torch.from_numpy(np.exp(SPEC.log_floors()))
        self.regions = region_matrix(SPEC.band_centres(), SPEC.bins, REGIONS)
        self.scale = 2.0 / float(self.window.sum())

    def __call__(self, audio: np.ndarray, frames: int) -> np.ndarray:
        """Features of mono audio.

        Args:
            audio: [samples] float32 at 48 kHz.
            frames: number of 40 ms frames wanted; audio is zero padded to fit.

        Returns:
            uint8 [frames, HOPS_PER_FRAME, BANDS], LOG_LOW..LOG_HIGH mapped to 0..255.
        """
        return self._bands(self._spectra(audio, frames), frames)

    def stereo(self, audio: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Features of stereo audio [samples, 2].

        Returns:
            (mid, stereo): `mid` as `__call__` gives it for (L + R) / 2; uint8 [frames, REGIONS, 2]
            pan and width, see `stereo_levels`, of the hop nearest each frame's middle.
        """
        mid = self._spectra(audio.mean(axis=1), frames)
        side = self._spectra((audio[:, 0] - audio[:, 1]) / 2, frames, every=HOPS_PER_FRAME)
        middles = mid[SPEC.middle_hop :: HOPS_PER_FRAME].numpy()
        levels = stereo_levels(middles, side.numpy(), self.regions)
        return self._bands(mid, frames), np.round(levels * 255).astype(np.uint8)

    def _spectra(self, audio: np.ndarray, frames: int, every: int = 1) -> torch.Tensor:
        """Complex spectra [hops, bins], a full-scale sine being 1: all hops, or the middle ones."""
        hops = frames * HOPS_PER_FRAME
        before = WINDOW // 2 - FIRST_HOP_OFFSET
        need = (hops - 1) * HOP + WINDOW
        padded = np.zeros(need, np.float32)
        usable = min(len(audio), need - before)
        padded[before : before + usable] = audio[:usable]
        pieces = torch.from_numpy(padded).unfold(0, WINDOW, HOP)
        if every > 1:
            pieces = pieces[SPEC.middle_hop :: every]
        return torch.fft.rfft(pieces * self.window) * self.scale

    def _bands(self, spectra: torch.Tensor, frames: int) -> np.ndarray:
        power = spectra.real.square() + spectra.imag.square()
        bands = torch.log(torch.sqrt(power @ self.matrix) + self.floors)
        unit = (bands - LOG_LOW) / (LOG_HIGH - LOG_LOW)
        coded = (unit.clamp(0, 1) * 255).round().to(torch.uint8)
        return coded.numpy().reshape(frames, HOPS_PER_FRAME, BANDS)
