# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound to the codec's features: what an audio prompt is heard by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pedalboard.io import StreamResampler

from bandmate.models.pico.codec import CodecSpec

Floats = NDArray[np.float32]


class FeatureExtractor:
    """Log magnitudes of a Hann STFT in bands, scaled to 0..1 (see `CodecSpec`)."""

    def __init__(self, spec: CodecSpec) -> None:
        self.spec = spec
        synthesis = spec.synthesis
        self._window = np.hanning(synthesis.window + 1)[:-1].astype(np.float32)
        self._matrix = band_matrix(synthesis.band_centres(), synthesis.bins)

    def __call__(self, audio: Floats, sample_rate: int) -> Floats:
        """Features [frames, hops, bands] of a sound [samples, channels] at any rate."""
        s = self.spec.synthesis
        mono = np.ascontiguousarray(audio.mean(axis=1) if audio.ndim > 1 else audio, np.float32)
        if sample_rate != s.sample_rate:
            resampler = StreamResampler(sample_rate, s.sample_rate, 1)
            parts = [resampler.process(mono[None]), resampler.process(None)]
            mono = np.concatenate(parts, axis=1)[0]
        frames = max(1, len(mono) // s.frame_samples)
        hops = frames * s.hops_per_frame
        # The first hop is centred one hop before the first frame.
        padded = np.zeros(s.window + hops * s.hop, np.float32)
        start = s.window // 2 + s.hop
        usable = min(len(mono), len(padded) - start)
        padded[start : start + usable] = mono[:usable]
        pieces = np.lib.stride_tricks.sliding_window_view(padded, s.window)[:: s.hop][:hops]
        power = np.square(np.abs(np.fft.rfft(pieces * self._window)) * (2 / self._window.sum()))
        level = np.log(np.sqrt(power.astype(np.float32) @ self._matrix) + np.float32(s.floor))
        unit = (level - self.spec.log_low) / (self.spec.log_high - self.spec.log_low)
        unit = np.clip(unit, 0, 1).astype(np.float32)
        return unit.reshape(frames, s.hops_per_frame, s.bands)


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
