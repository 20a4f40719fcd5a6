# SPDX-License-Identifier: GPL-3.0-or-later
"""From log magnitudes in bands to sound: phase gradient integration and overlap-add.

All that is heard comes from the magnitudes; phases follow from them (see
`server/native/codec/phase_integrator.hpp`). Where a spectrum is locally flat it stands for noise,
and gets the level fluctuations of noise before the integration, for a smooth spectrum would
integrate to one pulse per hop.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandmate._codec import PhaseIntegrator
from bandmate.models.pico.stereo import StereoField

Floats = NDArray[np.float32]

HANN_GAMMA = 0.25645  # of the squared window length
SILENCE_LOG = np.float32(np.log(1e-9))
NATS_PER_DB = np.log(10) / 20
INTEGRATION_RANGE_DB = 80.0
REACH = 5  # bands to either side that say whether a spectrum is flat
STEEPEST = np.float32(3.0)  # nats a level may be taken to rise or fall by in the next hop


@dataclass(frozen=True)
class SynthesisSpec:
    """Sizes of the magnitude codec's spectrum, from the bundle's `codec` object.

    Attributes:
        window, hop: samples. The window is long, for that tells the partials of a chord apart.
        output_window, output_shift: the part of a window that is heard: a Hann window of its own,
            this many samples long, centred so many samples after the window's centre. Short and
            late, it costs little delay.
        first_hop: centre of a frame's first hop, samples from the frame's start.
        hops_per_frame: hops in one frame.
        linear_bands: bands that are single bins, from 0 Hz up.
        bands: all bands; those past `linear_bands` are logarithmic up to `top_hz`.
        top_hz: centre of the last band.
        floor: amplitude added before the logarithm: what is far below it counts as silence.
        high_floor: the same for high bands, whose noise is thin in each of them; None: `floor`.
        floor_hz: up to the first frequency `floor` holds, from the second one on `high_floor`.
        attack_lead: samples by which a note's attack is heard before a click would be; see
            `delay_samples`.
        flat_db: range of level in a neighbourhood under which a spectrum is wholly, and over
            which it is not at all, treated as noise.
        stereo_regions: parts of the spectrum that have a place of their own between left and
            right (see stereo.py); 0: both channels carry the same.
    """

    sample_rate: int
    window: int
    output_window: int
    output_shift: int
    hop: int
    hops_per_frame: int
    first_hop: int
    linear_bands: int
    bands: int
    top_hz: float
    floor: float
    flat_db: tuple[float, float]
    stereo_regions: int = 0
    high_floor: float | None = None
    floor_hz: tuple[float, float] = (1200.0, 4000.0)
    attack_lead: int = 0

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def frame_samples(self) -> int:
        return self.hop * self.hops_per_frame

    @property
    def delay_samples(self) -> int:
        """How late a sound leaves the synthesis: sample i of frame k's output belongs to
        k * frame_samples + i - delay_samples.

        A click comes out `attack_lead` later, for its place is told by how the levels grow from the
        last hop on. What a player hears are notes: their attacks grow, and the window shows them
        before they are there.
        """
        return self.output_window // 2 - self.first_hop - self.attack_lead

    def band_centres(self) -> NDArray[np.float64]:
        """Centre of each band in bins, increasing."""
        first, last = self.linear_bands, self.top_hz * self.window / self.sample_rate
        steps = np.arange(self.bands - first) / (self.bands - first - 1)
        return np.concatenate([np.arange(first, dtype=float), first * (last / first) ** steps])

    def log_floors(self) -> Floats:
        """Natural log of each band's floor [bands]."""
        hz = self.band_centres() * self.sample_rate / self.window
        ends = np.log([self.floor, self.high_floor or self.floor])
        return np.interp(np.log(np.maximum(hz, 1.0)), np.log(self.floor_hz), ends).astype(
            np.float32
        )


@dataclass
class SynthesisState:
    """What carries over between frames of one stream."""

    levels: Floats  # [bins] log magnitudes of the last hop
    phase: Floats  # [bins] of the last hop
    gradient: Floats  # [bins]
    tail: Floats  # [2, output_window - hop] overlap-add of mid and side; its first sample is next
    stereo: Floats  # [stereo_regions, 2] of the last frame
    noise_tail: Floats  # [window] white noise under the last window
    frame: int  # frames made, keys the noise


class Synthesiser:
    """Stateless apart from tables; one serves every stream."""

    def __init__(self, spec: SynthesisSpec) -> None:
        self.spec = spec
        window = np.hanning(spec.window + 1)[:-1]
        heard = np.hanning(spec.output_window + 1)[:-1]
        first = spec.window // 2 + spec.output_shift - spec.output_window // 2
        if first < 0 or first + spec.output_window > spec.window:
            raise ValueError("the output window reaches past the window")
        self._heard = slice(first, first + spec.output_window)
        overlap = heard[np.arange(spec.output_window) % spec.hop == 0].sum()
        # What the analysis window left of the sound here is undone; amplitude 1 in a bin means a
        # full-scale sine there, so the analysis scale 2 / sum is undone as well.
        gain = heard / np.maximum(window[self._heard], 1e-4) / overlap
        self._gain = (gain * window.sum() / 2).astype(np.float32)
        self._window = window.astype(np.float32)
        self._lower, self._upper, self._share = self._neighbours()
        self._floors = np.exp(self._at_bins(spec.log_floors()[None]))
        self._field = (
            StereoField(spec.band_centres(), spec.bins, spec.stereo_regions)
            if spec.stereo_regions
            else None
        )
        self._top_bin = int(spec.top_hz * spec.window / spec.sample_rate)
        self._of_thread = threading.local()
        self._range = np.float32(INTEGRATION_RANGE_DB * NATS_PER_DB)
        self._noise_scale = np.float32(1 / np.sqrt(np.sum(window**2)))
        # Mean of ln|X| of a complex Gaussian with unit power: -euler_gamma / 2.
        self._noise_mean = np.float32(-np.euler_gamma / 2)

    def _integrator(self) -> PhaseIntegrator:
        """One of each thread's own: it keeps scratch memory."""
        if not hasattr(self._of_thread, "integrator"):
            s = self.spec
            self._of_thread.integrator = PhaseIntegrator(
                s.bins, s.hop, s.window, HANN_GAMMA * s.window**2, float(self._range)
            )
        return self._of_thread.integrator

    def _neighbours(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """For each bin the bands below and above it, and the upper one's share."""
        centres, bins = self.spec.band_centres(), np.arange(self.spec.bins)
        upper = np.clip(np.searchsorted(centres, bins, side="right"), 1, len(centres) - 1)
        share = (bins - centres[upper - 1]) / (centres[upper] - centres[upper - 1])
        return upper - 1, upper, np.clip(share, 0, 1).astype(np.float32)

    def _at_bins(self, bands: Floats) -> Floats:
        """Values of bands [hops, bands] at every bin [hops, bins]."""
        lower = bands[:, self._lower]
        return lower + self._share * (bands[:, self._upper] - lower)

    def init_state(self) -> SynthesisState:
        """Silence before the first frame."""
        s = self.spec
        return SynthesisState(
            levels=np.full(s.bins, SILENCE_LOG, np.float32),
            phase=np.zeros(s.bins, np.float32),
            gradient=np.zeros(s.bins, np.float32),
            tail=np.zeros((2, s.output_window - s.hop), np.float32),
            stereo=np.tile(np.array([0.5, 0.0], np.float32), (s.stereo_regions, 1)),
            noise_tail=np.zeros(s.window, np.float32),
            frame=0,
        )

    def frame(
        self, bands: Floats, state: SynthesisState, stereo: Floats | None = None
    ) -> tuple[Floats, SynthesisState]:
        """One frame of sound.

        Args:
            bands: [hops_per_frame, bands] natural log of (amplitude + the band's floor).
            state: not modified.
            stereo: [stereo_regions, 2] pan and width in 0..1, reached at the frame's last hop;
                None stays where the last frame was.

        Returns:
            samples [2, frame_samples] float32, left and right, and the new state.
        """
        s = self.spec
        rng = np.random.Generator(np.random.Philox(key=state.frame))
        amplitude = np.exp(self._at_bins(bands)) - self._floors
        levels = np.log(np.maximum(amplitude, np.float32(1e-9)))
        levels[:, self._top_bin :] = SILENCE_LOG
        texture, noise_tail = self._noise_texture(rng, state.noise_tail)
        levels += self._at_bins(self._flatness(bands)) * texture

        noise = rng.uniform(-np.pi, np.pi, (s.hops_per_frame, s.bins)).astype(np.float32)
        phases, gradient = self._phases(levels, state, noise)
        magnitude = np.exp(levels)
        spectrum = np.empty(levels.shape, np.complex64)
        np.multiply(magnitude, np.cos(phases), out=spectrum.real)
        np.multiply(magnitude, np.sin(phases), out=spectrum.imag)
        stereo = state.stereo if stereo is None else stereo
        spectra = [spectrum]
        if self._field is not None:
            steps = np.arange(1, s.hops_per_frame + 1, dtype=np.float32) / s.hops_per_frame
            levels_at = state.stereo + steps[:, None, None] * (stereo - state.stereo)
            spectra.append(self._field.side(spectrum, levels_at))
        out = np.zeros((2, s.frame_samples + state.tail.shape[1]), np.float32)
        out[:, : state.tail.shape[1]] = state.tail
        for row, part in zip(out, spectra, strict=False):
            for h, piece in enumerate(self._pieces(part)):
                row[h * s.hop : h * s.hop + s.output_window] += piece
        mid, side = out[:, : s.frame_samples]
        return np.stack([mid + side, mid - side]), SynthesisState(
            levels=levels[-1],
            phase=phases[-1],
            gradient=gradient,
            tail=out[:, s.frame_samples :],
            stereo=stereo,
            noise_tail=noise_tail,
            frame=state.frame + 1,
        )

    def _pieces(self, spectra: NDArray[np.complex64]) -> Floats:
        """What is heard of each hop's window, [hops, output_window]."""
        pieces = np.fft.irfft(spectra, self.spec.window).astype(np.float32)
        return np.roll(pieces, self.spec.window // 2, axis=1)[:, self._heard] * self._gain

    def _phases(
        self, levels: Floats, state: SynthesisState, noise: Floats
    ) -> tuple[Floats, Floats]:
        """Phases [hops, bins] of a frame's hops, and the time gradient [bins] of the last.

        The next hop is not known yet: each level is taken to go on as it went since the last hop.
        """
        integrator = self._integrator()
        before, phase, gradient = state.levels, state.phase, state.gradient
        phases = np.empty_like(levels)
        for h, now in enumerate(levels):
            after = now + np.clip(now - before, -STEEPEST, STEEPEST)
            run = np.stack([before, now, after])
            found, gradients = integrator.integrate(run, phase, gradient, noise[h : h + 1])
            phases[h], before, phase, gradient = found[0], now, found[0], gradients[0]
        return phases, gradient

    def _flatness(self, bands: Floats) -> Floats:
        """0 (tonal) to 1 (noise) for each band, from the range of levels around it."""
        padded = np.pad(bands, ((0, 0), (REACH, REACH)), mode="edge")
        spread = _around(np.maximum, padded) - _around(np.minimum, padded)
        spread /= np.float32(NATS_PER_DB)
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


def _around(of: np.ufunc, padded: Floats) -> Floats:
    """Largest or smallest of each value's neighbourhood of 2 * REACH + 1, [hops, n - 2 * REACH]."""
    pairs = of(padded[:, 1:], padded[:, :-1])
    fours = of(pairs[:, 2:], pairs[:, :-2])
    eights = of(fours[:, 4:], fours[:, :-4])
    return of(eights[:, 2 * REACH - 7 :], eights[:, : 7 - 2 * REACH])
