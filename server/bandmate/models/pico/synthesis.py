# SPDX-License-Identifier: GPL-3.0-or-later
"""From log magnitudes in bands to sound: phase gradient integration and overlap-add.

All that is heard comes from the magnitudes; phases follow from them (see
`server/native/codec/phase_integrator.hpp`). Where a spectrum is locally flat it stands for noise,
and gets the level fluctuations of noise before the integration, for a smooth spectrum would
integrate to one pulse per hop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bandmate._codec import PhaseIntegrator
from bandmate.models.pico.noise import NoiseLoop
from bandmate.models.pico.stereo import StereoField
from bandmate.models.threads import threads

Floats = NDArray[np.float32]

HANN_GAMMA = 0.25645  # of the squared window length
SILENCE = np.float32(1e-9)
NATS_PER_DB = np.log(10) / 20
INTEGRATION_RANGE_DB = 80.0
NOISE_FROM = np.float32(0.5)  # a share of noise from which phases are noise's
REACH = 5  # bands to either side that say whether a spectrum is flat
# Nats from one hop to the next; see the integrator. Those of 3 to 5 and 1 to 1.6 are much alike.
RISE, FALL = 4.0, 1.2
# A level further under those that follow in its frame is taken to be so many times as far under.
# What is expected of an attack is an average of early and late ones, heard before the note begins.
RISING_RANGE_DB = 10.0
RISING_STEEPER = np.float32(3.0)


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
        attack_lead: samples by which the attacks of notes are heard early; see `delay_samples`.
        flat_db: range of level in a neighbourhood under which a spectrum is wholly, and over
            which it is not at all, treated as noise.
        flat_high_db: the same for high bands, which are too wide to tell partials; None: `flat_db`.
        flat_hz: up to the first frequency `flat_db` holds, from the second one on `flat_high_db`.
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
    flat_high_db: tuple[float, float] | None = None
    flat_hz: tuple[float, float] = (3000.0, 4600.0)
    stereo_regions: int = 0
    high_floor: float | None = None
    floor_hz: tuple[float, float] = (1200.0, 4000.0)
    attack_lead: int = 0

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def heard_bins(self) -> int:
        """Bins up to `top_hz`; there is nothing in those above."""
        return int(self.top_hz * self.window / self.sample_rate)

    @property
    def frame_samples(self) -> int:
        return self.hop * self.hops_per_frame

    @property
    def delay_samples(self) -> int:
        """How late a sound leaves the synthesis: sample i of frame k's output belongs to
        k * frame_samples + i - delay_samples.

        The output window's centre comes half of it after the hop begins, and holds what was
        `output_shift` after the hop's centre. Attacks are heard `attack_lead` before that, as
        measured: the analysis window shows a tone before it begins.
        """
        centre = self.output_window // 2 - self.first_hop - self.output_shift
        return centre - self.attack_lead

    @property
    def middle_hop(self) -> int:
        """A frame's hop centred nearest its middle: stereo is of this one."""
        centres = self.first_hop + np.arange(self.hops_per_frame) * self.hop
        return int(np.abs(centres - self.frame_samples / 2).argmin())

    def band_centres(self) -> NDArray[np.float64]:
        """Centre of each band in bins, increasing."""
        first, last = self.linear_bands, self.top_hz * self.window / self.sample_rate
        steps = np.arange(self.bands - first) / (self.bands - first - 1)
        return np.concatenate([np.arange(first, dtype=float), first * (last / first) ** steps])

    def band_hertz(self) -> NDArray[np.float64]:
        """Centre of each band in Hz."""
        return self.band_centres() * self.sample_rate / self.window

    def log_floors(self) -> Floats:
        """Natural log of each band's floor [bands]."""
        ends = np.log(self.floor), np.log(self.high_floor or self.floor)
        return self._between(self.floor_hz, *ends)

    def flat_ranges(self) -> tuple[Floats, Floats]:
        """Ranges of level in dB [bands] under and over which each band is noise or none of it."""
        low, high = zip(self.flat_db, self.flat_high_db or self.flat_db, strict=True)
        return self._between(self.flat_hz, *low), self._between(self.flat_hz, *high)

    def _between(self, hertz: tuple[float, float], low: float, high: float) -> Floats:
        """For each band `low` up to the first frequency, `high` from the second one on [bands]."""
        centres = np.log(np.maximum(self.band_hertz(), 1.0))
        return np.interp(centres, np.log(hertz), [low, high]).astype(np.float32)


@dataclass
class SynthesisState:
    """What carries over between frames of one stream."""

    smooth: Floats  # [heard_bins] log magnitudes of the last hop, without noise
    levels: Floats  # [heard_bins] the same with it
    phase: Floats  # [heard_bins] of the last hop
    gradient: Floats  # [heard_bins]
    tail: Floats  # [2, output_window - hop] overlap-add of mid and side; its first sample is next
    stereo: Floats  # [stereo_regions, 2] of the last frame
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
        if not spec.hop <= spec.output_window <= 2 * spec.hop:
            raise ValueError("the output window is not one to two hops long")
        # Where the heard samples are in a transform with phases relative to the window's centre.
        self._heard = np.arange(first, first + spec.output_window) - spec.window // 2
        overlap = heard[np.arange(spec.output_window) % spec.hop == 0].sum()
        # What the analysis window left of the sound here is undone; amplitude 1 in a bin means a
        # full-scale sine there, so the analysis scale 2 / sum is undone as well.
        gain = heard / np.maximum(window[first : first + spec.output_window], 1e-4) / overlap
        self._gain = (gain * window.sum() / 2).astype(np.float32)
        bins = spec.heard_bins
        self._lower, self._upper, self._share = self._neighbours()
        # Bands with the outermost repeated at either end, for looking REACH around.
        self._padded = np.arange(-REACH, spec.bands + REACH).clip(0, spec.bands - 1)
        self._floors = np.exp(self._at_bins(spec.log_floors()[None]))
        self._flat_db = spec.flat_ranges()
        self._field = (
            StereoField(spec.band_centres(), spec.bins, spec.stereo_regions, bins)
            if spec.stereo_regions
            else None
        )
        # Of the way to a frame's place, at each of its hops
        arrived = np.minimum(np.arange(1, spec.hops_per_frame + 1) / (spec.middle_hop + 1), 1)
        self._arrived = arrived.astype(np.float32)[:, None, None]
        self._noise = NoiseLoop(window.astype(np.float32), spec.hop, bins)
        self._integrator = PhaseIntegrator(
            bins,
            spec.hop,
            spec.window,
            HANN_GAMMA * spec.window**2,
            INTEGRATION_RANGE_DB * NATS_PER_DB,
            spec.window,
            RISE,
            FALL,
            threads(),
        )

    def _neighbours(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """For each heard bin the bands below and above it, and the upper one's share."""
        centres, bins = self.spec.band_centres(), np.arange(self.spec.heard_bins)
        upper = np.clip(np.searchsorted(centres, bins, side="right"), 1, len(centres) - 1)
        share = (bins - centres[upper - 1]) / (centres[upper] - centres[upper - 1])
        return upper - 1, upper, np.clip(share, 0, 1).astype(np.float32)

    def _at_bins(self, bands: Floats) -> Floats:
        """Values of bands [..., bands] at every heard bin [..., heard_bins]."""
        lower = bands.take(self._lower, axis=-1)
        return lower + self._share * (bands.take(self._upper, axis=-1) - lower)

    def init_state(self) -> SynthesisState:
        """Silence before the first frame."""
        s = self.spec
        return SynthesisState(
            smooth=np.full(s.heard_bins, np.log(SILENCE), np.float32),
            levels=np.full(s.heard_bins, np.log(SILENCE), np.float32),
            phase=np.zeros(s.heard_bins, np.float32),
            gradient=np.zeros(s.heard_bins, np.float32),
            tail=np.zeros((2, s.output_window - s.hop), np.float32),
            stereo=np.tile(np.array([0.5, 0.0], np.float32), (s.stereo_regions, 1)),
            frame=0,
        )

    def frames(
        self,
        bands: Floats,
        states: Sequence[SynthesisState],
        places: Sequence[Floats | None] | None = None,
    ) -> tuple[Floats, list[SynthesisState]]:
        """One frame of sound of each of n streams. None hears that others are there.

        Args:
            bands: [n, hops_per_frame, bands] natural log of (amplitude + the band's floor).
            states: n, not modified.
            places: n pans and widths [stereo_regions, 2] in 0..1, reached at the middle hop;
                None stays where the last frame was.

        Returns:
            samples [n, 2, frame_samples] float32, left and right, and n new states.
        """
        s = self.spec
        smooth = self._smooth_levels(bands, states)
        flat = self._at_bins(self._flatness(bands))
        levels = smooth + flat * self._noise_of(self._noise.levels, states)
        phases, gradients = self._phases(levels, flat, states)
        magnitude = np.exp(levels)
        spectra = np.zeros((len(states), 2, s.hops_per_frame, s.bins), np.complex64)
        mid = spectra[:, 0, :, : s.heard_bins]
        np.multiply(magnitude, np.cos(phases), out=mid.real)
        np.multiply(magnitude, np.sin(phases), out=mid.imag)
        before = np.stack([state.stereo for state in states])
        now = before
        if self._field is not None and places is not None:
            pairs = zip(places, before, strict=True)
            now = np.stack([last if place is None else place for place, last in pairs])
        if self._field is not None:
            at_hops = before[:, None] + self._arrived * (now - before)[:, None]
            spectra[:, 1, :, : s.heard_bins] = self._field.side(mid, at_hops)
        samples, tails = self._overlapped(spectra, np.stack([state.tail for state in states]))
        sides = np.stack([samples[:, 0] + samples[:, 1], samples[:, 0] - samples[:, 1]], axis=1)
        return sides, [
            SynthesisState(*parts, frame=state.frame + 1)
            for *parts, state in zip(
                smooth[:, -1],
                levels[:, -1],
                phases[:, -1],
                gradients,
                tails,
                now,
                states,
                strict=True,
            )
        ]

    def _smooth_levels(self, bands: Floats, states: Sequence[SynthesisState]) -> Floats:
        """Log magnitudes [n, hops, heard_bins] of bands, rises made steep."""
        levels = np.log(np.maximum(np.exp(self._at_bins(bands)) - self._floors, SILENCE))
        before = np.stack([state.smooth for state in states])
        to_come = levels[:, -1].copy()
        for hop in reversed(range(levels.shape[1] - 1)):
            now = levels[:, hop]
            np.maximum(to_come, now, out=to_come)
            under = to_come - now
            under -= np.float32(RISING_RANGE_DB * NATS_PER_DB)
            np.maximum(under, 0, out=under)
            under *= 1 - RISING_STEEPER
            under += now
            # What sounded in the last hop is no part of the rise
            np.maximum(under, np.minimum(now, before), out=now)
        return levels

    def _phases(
        self, levels: Floats, flat: Floats, states: Sequence[SynthesisState]
    ) -> tuple[Floats, Floats]:
        """Phases [n, hops, heard_bins], and the time gradients [n, heard_bins] of the last hops.

        Where bands are too wide to tell partials, what is flat has the phases of noise too: there
        levels alone would integrate to a pulse a hop.
        """
        phases = np.empty_like(levels)
        gradients = np.empty_like(levels[:, 0])
        noise = self._noise_of(self._noise.phases, states)
        self._integrator.integrate(
            levels,
            noise,
            np.stack([state.levels for state in states]),
            np.stack([state.phase for state in states]),
            np.stack([state.gradient for state in states]),
            phases,
            gradients,
        )
        wide = self.spec.linear_bands
        np.copyto(phases[..., wide:], noise[..., wide:], where=flat[..., wide:] > NOISE_FROM)
        return phases, gradients

    def _noise_of(
        self, kind: Callable[[int, int], Floats], states: Sequence[SynthesisState]
    ) -> Floats:
        """Levels or phases of noise [n, hops, heard_bins], as far as each stream is."""
        hops = self.spec.hops_per_frame
        return np.stack([kind(state.frame * hops, hops) for state in states])

    def _overlapped(self, spectra: NDArray[np.complex64], tails: Floats) -> tuple[Floats, Floats]:
        """Spectra [n, 2, hops, bins] added to tails [n, 2, output_window - hop]: samples
        [n, 2, frame_samples] and the new tails."""
        hop = self.spec.hop
        pieces = np.fft.irfft(spectra, self.spec.window).take(self._heard, axis=-1, mode="wrap")
        pieces *= self._gain
        overlap = tails.shape[-1]
        out = pieces[..., :hop]
        out[:, :, 0, :overlap] += tails
        out[:, :, 1:, :overlap] += pieces[:, :, :-1, hop:]
        return out.reshape(*out.shape[:2], -1), pieces[:, :, -1, hop:].copy()

    def _flatness(self, bands: Floats) -> Floats:
        """0 (tonal) to 1 (noise) for each band, from the range of levels around it."""
        padded = bands.take(self._padded, axis=-1)
        spread = _around(np.maximum, padded) - _around(np.minimum, padded)
        spread /= np.float32(NATS_PER_DB)
        low, high = self._flat_db
        return np.clip((high - spread) / (high - low), 0, 1).astype(np.float32)


def _around(of: np.ufunc, padded: Floats) -> Floats:
    """Largest or smallest of each value's neighbourhood of 2 * REACH + 1, [..., n - 2 * REACH]."""
    pairs = of(padded[..., 1:], padded[..., :-1])
    fours = of(pairs[..., 2:], pairs[..., :-2])
    eights = of(fours[..., 4:], fours[..., :-4])
    return of(eights[..., 2 * REACH - 7 :], eights[..., : 7 - 2 * REACH])
