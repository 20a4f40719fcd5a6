# SPDX-License-Identifier: GPL-3.0-or-later
"""Between samples and spectrogram; real and imaginary parts are channels."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from bandmate.models.mrt2.spectrostream.spec import SpectroStreamSpec


def hann(length: int) -> np.ndarray:
    """The periodic Hann window, float64 [length]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


class Transform:
    """The short-time transform and its inverse."""

    def __init__(self, spec: SpectroStreamSpec):
        self._spec = spec
        window = hann(spec.stft_window)
        overlapped = np.roll(window, spec.stft_hop)
        self._window = mx.array(window.astype(np.float32))
        # Dividing by the overlapped squares undoes the analysis window exactly.
        inverse = window / (window**2 + overlapped**2)
        self._inverse = mx.array(inverse.astype(np.float32))

    def spectrogram(self, audio: mx.array) -> mx.array:
        """Audio to spectrogram.

        Args:
            audio: [batch, hop * (frames + 1), channels]; frame i starts at sample hop * i.

        Returns:
            [batch, frames, bins, 2 * channels]: real and imaginary part of each channel in turn.
        """
        hop, bins = self._spec.stft_hop, self._spec.bins
        batch, samples, channels = audio.shape
        hops = audio.reshape(batch, samples // hop, hop, channels)
        frames = mx.concatenate([hops[:, :-1], hops[:, 1:]], axis=2)
        spectrum = mx.fft.rfft(frames * self._window[:, None], axis=2)[:, :, :bins]
        parts = mx.stack([spectrum.real, spectrum.imag], axis=-1)
        return parts.reshape(batch, -1, bins, 2 * channels)

    def init_state(self, batch: int) -> mx.array:
        """The tail of the frame before the start: zeros [batch, hop, channels]."""
        return mx.zeros((batch, self._spec.stft_hop, self._spec.audio_channels))

    def audio(self, spectrogram: mx.array, tail: mx.array) -> tuple[mx.array, mx.array]:
        """Spectrogram to audio by overlap and add.

        Args:
            spectrogram: [batch, frames, bins, 2 * channels].
            tail: [batch, hop, channels], the second half of the frame before.

        Returns:
            [batch, frames * hop, channels] and the last frame's second half.
        """
        hop, bins = self._spec.stft_hop, self._spec.bins
        batch, frames = spectrogram.shape[:2]
        parts = spectrogram.reshape(batch, frames, bins, -1, 2)
        spectrum = parts[..., 0] + 1j * parts[..., 1]
        # The highest bin is not coded.
        spectrum = mx.pad(spectrum, [(0, 0), (0, 0), (0, 1), (0, 0)])
        pieces = mx.fft.irfft(spectrum, n=self._spec.stft_window, axis=2)
        pieces = pieces * self._inverse[:, None]
        early, late = pieces[:, :, :hop], pieces[:, :, hop:]
        before = mx.concatenate([tail[:, None], late[:, :-1]], axis=1)
        return (early + before).reshape(batch, frames * hop, -1), late[:, -1]
