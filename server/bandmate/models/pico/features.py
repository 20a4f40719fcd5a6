# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound to the codec's features: what an audio prompt is heard by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pedalboard.io import StreamResampler

from bandmate.models.pico.codec import CodecSpec
from bandmate.models.pico.stereo import region_matrix, stereo_levels

Floats = NDArray[np.float32]


class FeatureExtractor:
    """Log magnitudes of a Hann STFT in bands, scaled to 0..1 (see `CodecSpec`)."""

    def __init__(self, spec: CodecSpec) -> None:
        self.spec = spec
        synthesis = spec.synthesis
        self._window = np.hanning(synthesis.window + 1)[:-1].astype(np.float32)
        self._matrix = band_matrix(synthesis.band_centres(), synthesis.bins)
        self._floors = np.exp(synthesis.log_floors())
        self._regions = region_matrix(
            synthesis.band_centres(), synthesis.bins, max(1, synthesis.stereo_regions)
        )

    def __call__(self, audio: Floats, sample_rate: int) -> Floats:
        """Features [frames, hops, bands] of a sound [samples, channels] at any rate."""
        s = self.spec.synthesis
        mono = audio.mean(axis=1) if audio.ndim > 1 else audio
        spectra = self._spectra(self._at_own_rate(mono, sample_rate))
        frames = len(spectra) // s.hops_per_frame
        power = np.square(np.abs(spectra))
        level = np.log(np.sqrt(power.astype(np.float32) @ self._matrix) + self._floors)
        unit = (level - self.spec.log_low) / (self.spec.log_high - self.spec.log_low)
        unit = np.clip(unit, 0, 1).astype(np.float32)
        return unit.reshape(frames, s.hops_per_frame, s.bands)

    def stereo(self, audio: Floats, sample_rate: int) -> Floats:
        """Pan and width [frames, regions, 2] in 0..1 of a sound [samples, 2] at any rate.

        Each frame's is that of its hop nearest its middle.
        """
        s = self.spec.synthesis
        mid, side = (
            self._spectra(self._at_own_rate(part, sample_rate))[s.middle_hop :: s.hops_per_frame]
            for part in (audio.mean(axis=1), (audio[:, 0] - audio[:, 1]) / 2)
        )
        return stereo_levels(mid, side, self._regions)

    def _at_own_rate(self, mono: Floats, sample_rate: int) -> Floats:
        mono, own = np.ascontiguousarray(mono, np.float32), self.spec.synthesis.sample_rate
        if sample_rate == own:
            return mono
        resampler = StreamResampler(sample_rate, own, 1)
        return np.concatenate([resampler.process(mono[None]), resampler.process(None)], axis=1)[0]

    def _spectra(self, mono: Floats) -> NDArray[np.complex64]:
        """Spectra [frames * hops, bins], a full-scale sine being 1."""
        s = self.spec.synthesis
        hops = max(1, len(mono) // s.frame_samples) * s.hops_per_frame
        padded = np.zeros(s.window + hops * s.hop, np.float32)
        start = s.window // 2 - s.first_hop
        usable = min(len(mono), len(padded) - start)
        padded[start : start + usable] = mono[:usable]
        pieces = np.lib.stride_tricks.sliding_window_view(padded, s.window)[:: s.hop][:hops]
        return np.fft.rfft(pieces * self._window) * np.float32(2 / self._window.sum())


def band_matrix(centres: NDArray[np.float64], bins: int) -> Floats:
    """Power averaging weights [bins, bands] of triangular bands; each column sums to one."""
    weights, bands = np.zeros((bins, len(centres))), len(centres)
    for band, centre in enumerate(centres):
        left = max(1.0, centre - centres[band - 1]) if band else 1.0
        right = max(1.0, centres[band + 1] - centre) if band + 1 < bands else left
        at = np.arange(bins) - centre
        column = np.clip(np.minimum(at / left + 1, 1 - at / right), 0, None)
        weights[:, band] = column / column.sum()
    return weights.astype(np.float32)
