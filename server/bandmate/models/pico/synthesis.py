# SPDX-License-Identifier: GPL-3.0-or-later
"""From log magnitudes in bands to sound: phase gradient integration and overlap-add.

All that is heard comes from the magnitudes; phases follow from them (see
`server/native/codec/phase_integrator.hpp`). Where a spectrum is locally flat it stands for noise,
and gets the level fluctuations of noise before the integration, for a smooth spectrum would
integrate to one pulse per hop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandmate._codec import PhaseIntegrator

Floats = NDArray[np.float32]

HANN_GAMMA = 0.25645  # of the squared window length
SILENCE_LOG = np.float32(np.log(1e-9))
NATS_PER_DB = np.log(10) / 20
INTEGRATION_RANGE_DB = 80.0


@dataclass(frozen=True)
class SynthesisSpec:
    """Sizes of the magnitude codec's spectrum, from the bundle's `codec` object.

    Attributes:
        window, hop: samples.
        hops_per_frame: hops in one frame.
        linear_bands: bands that are single bins, from 0 Hz up.
        bands: all bands; those past `linear_bands` are logarithmic up to `top_hz`.
        top_hz: centre of the last band.
        floor: amplitude added before the logarithm.
        flat_db: range of level in a neighbourhood under which a spectrum is wholly, and over
            which it is not at all, treated as noise.
    """

    sample_rate: int
    window: int
    hop: int
    hops_per_frame: int
    linear_bands: int
    bands: int
    top_hz: float
    floor: float
    flat_db: tuple[float, float] = (7.0, 17.0)

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def frame_samples(self) -> int:
        return self.hop * self.hops_per_frame

    def band_centres(self) -> NDArray[np.float64]:
        """Centre of each band in bins, increasing."""
        first, last = self.linear_bands, self.top_hz * self.window / self.sample_rate
        steps = np.arange(self.bands - first) / (self.bands - first - 1)
        return np.concatenate([np.arange(first, dtype=float), first * (last / first) ** steps])


@dataclass
class SynthesisState:
    """What carries over between frames of one stream."""

    levels: Floats  # [2, bins] log magnitudes of the last integrated hop and of the one waiting
    phase: Floats  # [bins] of the last integrated hop
    gradient: Floats  # [bins]
    tail: Floats  # [window] overlap-add accumulator; its first sample is the next one out
    noise_tail: Floats  # [window] white noise under the last window
    frame: int  # frames made, keys the noise


class Synthesiser:
    """Stateless apart from tables; one serves every stream."""

    def __init__(self, spec: SynthesisSpec) -> None:
        self.spec = spec
        window = np.hanning(spec.window + 1)[:-1]
        overlap = np.zeros(spec.hop)
        for start in range(0, spec.window, spec.hop):
            piece = window[start : start + spec.hop] ** 2
            overlap[: len(piece)] += piece
        repeats = -(-spec.window // spec.hop)
        dual = window / np.tile(overlap, repeats)[: spec.window]
        # Amplitude 1 in a bin means a full-scale sine there: undo the analysis scale 2 / sum.
        self._dual = (dual * window.sum() / 2).astype(np.float32)
        self._window = window.astype(np.float32)
        self._interpolate = self._band_to_bin_matrix()
        self._top_bin = int(spec.top_hz * spec.window / spec.sample_rate)
        self._range = np.float32(INTEGRATION_RANGE_DB * NATS_PER_DB)
        self._noise_scale = np.float32(1 / np.sqrt(np.sum(window**2)))
        # Mean of ln|X| of a complex Gaussian with unit power: -euler_gamma / 2.
        self._noise_mean = np.float32(-np.euler_gamma / 2)

    def _integrator(self) -> PhaseIntegrator:
        s = self.spec
        return PhaseIntegrator(
            s.bins, s.hop, s.window, HANN_GAMMA * s.window**2, float(self._range)
        )

    def _band_to_bin_matrix(self) -> Floats:
        centres, bins = self.spec.band_centres(), np.arange(self.spec.bins)
        matrix = np.zeros((self.spec.bands, self.spec.bins), np.float32)
        right = np.clip(np.searchsorted(centres, bins, side="right"), 1, len(centres) - 1)
        share = (bins - centres[right - 1]) / (centres[right] - centres[right - 1])
        share = np.clip(share, 0, 1)
        matrix[right - 1, bins] = 1 - share
        matrix[right, bins] += share
        return matrix

    def init_state(self) -> SynthesisState:
        """Silence before the first frame."""
        s = self.spec
        return SynthesisState(
            levels=np.full((2, s.bins), SILENCE_LOG, np.float32),
            phase=np.zeros(s.bins, np.float32),
            gradient=np.zeros(s.bins, np.float32),
            tail=np.zeros(s.window, np.float32),
            noise_tail=np.zeros(s.window, np.float32),
            frame=0,
        )

    def frame(self, bands: Floats, state: SynthesisState) -> tuple[Floats, SynthesisState]:
        """One frame of sound.

        Args:
            bands: [hops_per_frame, bands] natural log of (amplitude + floor).
            state: not modified.

        Returns:
            mono samples [frame_samples] float32, and the new state.
        """
        s = self.spec
        rng = np.random.Generator(np.random.Philox(key=state.frame))
        amplitude = np.exp(bands @ self._interpolate) - np.float32(s.floor)
        levels = np.log(np.maximum(amplitude, np.float32(1e-9)))
        levels[:, self._top_bin :] = SILENCE_LOG
        texture, noise_tail = self._noise_texture(rng, state.noise_tail)
        levels += self._flatness(bands) @ self._interpolate * texture

        run = np.concatenate([state.levels, levels])
        noise = rng.uniform(-np.pi, np.pi, (s.hops_per_frame, s.bins)).astype(np.float32)
        phases, gradients = self._integrator().integrate(run, state.phase, state.gradient, noise)
        spectrum = np.exp(run[1:-1]) * np.exp(1j * phases)
        pieces = np.fft.irfft(spectrum, s.window).astype(np.float32)
        pieces = np.roll(pieces, s.window // 2, axis=1) * self._dual

        out = np.zeros(s.frame_samples + s.window, np.float32)
        out[: s.window] = state.tail
        for h, piece in enumerate(pieces):
            out[h * s.hop : h * s.hop + s.window] += piece
        return out[: s.frame_samples], SynthesisState(
            levels=run[-2:],
            phase=phases[-1],
            gradient=gradients[-1],
            tail=out[s.frame_samples :],
            noise_tail=noise_tail,
            frame=state.frame + 1,
        )

    def _flatness(self, bands: Floats) -> Floats:
        """0 (tonal) to 1 (noise) for each band, from the range of levels around it."""
        reach = 5
        padded = np.pad(bands, ((0, 0), (reach, reach)), mode="edge")
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1)
        spread = (around.max(axis=2) - around.min(axis=2)) / np.float32(NATS_PER_DB)
        low, high = self.spec.flat_db
        return np.clip((high - spread) / np.float32(high - low), 0, 1).astype(np.float32)

    def _noise_texture(self, rng: np.random.Generator, tail: Floats) -> tuple[Floats, Floats]:
        """Log magnitudes [hops, bins] of white noise around their mean, and the new noise tail."""
        s = self.spec
        fresh = rng.standard_normal(s.frame_samples).astype(np.float32)
        noise = np.concatenate([tail, fresh])
        windows = np.lib.stride_tricks.sliding_window_view(noise, s.window)[s.hop :: s.hop]
        spectrum = np.fft.rfft(windows * self._window)
        level = np.log(np.abs(spectrum).astype(np.float32) * self._noise_scale + np.float32(1e-6))
        return level - self._noise_mean, noise[s.frame_samples :]
