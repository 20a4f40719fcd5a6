# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthesised drums: a machine's kick, snare, clap, hats, cymbals, toms and blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from notes import SAMPLE_RATE
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from sources.player import fade_in, pan_gains, seconds

Floats = NDArray[np.float32]

METAL = (205.3, 304.4, 369.6, 522.7, 800.0, 1104.6)  # Hz; beating squares sound like sheet metal
TOMS = {41: 0, 43: 3, 45: 6, 47: 9, 48: 12, 50: 15}  # semitones above the lowest
PANS = {42: 0.35, 44: 0.35, 46: 0.35, 49: -0.4, 57: 0.45, 51: 0.5, 53: 0.5, 59: 0.5, 52: -0.45,
        55: -0.3, 41: 0.45, 43: 0.3, 45: 0.15, 47: -0.1, 48: -0.25, 50: -0.4, 39: -0.1,
        54: -0.3, 56: 0.2, 58: 0.4}  # fmt: skip
LEVELS = {"hat": 0.5, "cymbal": 0.5, "stick": 0.5, "clap": 0.75, "tom": 0.9}


@dataclass(frozen=True)
class Kit:
    """A drum machine's settings: see `Voice`."""

    words: tuple[str, ...]
    release: float
    kick_hz: float
    kick_sweep: float
    kick_decay: float
    snare_hz: float
    snare_noise: float
    snare_decay: float
    hat_hz: float
    hat_decay: float
    tom_hz: float
    seed: int

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        t = seconds(samples)
        rng = np.random.default_rng([self.seed, pitch])
        bright = 0.5 + 0.7 * hardness
        if pitch in (35, 36):
            wave = self._kick(t, rng, bright)
        elif pitch in (38, 40):
            wave = self._snare(t, rng, bright * (1.15 if pitch == 40 else 1))
        elif pitch == 39:
            wave = LEVELS["clap"] * self._clap(t, rng)
        elif pitch in (42, 44, 46):
            decay = self.hat_decay * (7 if pitch == 46 else 1)
            wave = LEVELS["hat"] * self._metal(t, rng, self.hat_hz, decay, bright)
        elif pitch in TOMS:
            wave = LEVELS["tom"] * self._tom(t, rng, self.tom_hz * 2 ** (TOMS[pitch] / 12))
        elif pitch in (49, 51, 52, 53, 55, 57, 59):
            decay = 0.9 if pitch in (49, 57) else 0.5
            low = 3500 + 130 * (pitch - 49)
            wave = LEVELS["cymbal"] * self._metal(t, rng, low, decay, bright)
        else:
            wave = LEVELS["stick"] * self._block(t, pitch)
        peak = max(1e-6, float(np.abs(wave).max()))
        level = {35: 1.0, 36: 1.0, 38: 0.9, 40: 0.9}.get(pitch)
        wave = wave * (level / peak) if level else wave / max(1.0, peak)
        return fade_in(wave.astype(np.float32), 12)[:, None] * pan_gains(PANS.get(pitch, 0.0))

    def _kick(self, t: Floats, rng: np.random.Generator, bright: float) -> Floats:
        fall = np.exp(-t / 0.035)
        angle = self.kick_hz * t + self.kick_hz * self.kick_sweep * 0.035 * (1 - fall)
        click = 0.25 * bright * _noise(rng, len(t), 2500, "highpass") * np.exp(-t / 0.004)
        return np.cos(2 * np.pi * angle) * np.exp(-t / self.kick_decay) + click

    def _snare(self, t: Floats, rng: np.random.Generator, bright: float) -> Floats:
        head = sum(np.sin(2 * np.pi * self.snare_hz * r * t) for r in (1.0, 1.72))
        wires = _noise(rng, len(t), 1400, "highpass") * np.exp(-t / self.snare_decay)
        return 0.5 * head * np.exp(-t / 0.07) + bright * self.snare_noise * wires

    def _clap(self, t: Floats, rng: np.random.Generator) -> Floats:
        bursts = sum(np.where(t >= d, np.exp(-(t - d) / 0.006), 0) for d in (0, 0.010, 0.021))
        tail = np.where(t >= 0.028, np.exp(-(t - 0.028) / 0.09), 0)
        return _noise(rng, len(t), (900, 3200), "bandpass") * (bursts + 0.8 * tail)

    def _metal(
        self, t: Floats, rng: np.random.Generator, low: float, decay: float, bright: float
    ) -> Floats:
        stretch = 1 + 0.06 * rng.standard_normal()
        squares = sum(np.sign(np.sin(2 * np.pi * f * stretch * 4 * t)) for f in METAL) / 6
        noise = 0.35 * rng.standard_normal(len(t))
        wave = sosfilt(butter(3, min(low * bright, 9000), "highpass", fs=SAMPLE_RATE, output="sos"),
                       squares + noise)  # fmt: skip
        return wave * np.exp(-t / decay)

    def _tom(self, t: Floats, rng: np.random.Generator, hertz: float) -> Floats:
        angle = hertz * t + hertz * 0.5 * 0.05 * (1 - np.exp(-t / 0.05))
        stick = 0.15 * _noise(rng, len(t), 1500, "highpass") * np.exp(-t / 0.006)
        return np.sin(2 * np.pi * angle) * np.exp(-t / 0.22) + stick

    def _block(self, t: Floats, pitch: int) -> Floats:
        hertz = {37: 1700.0, 56: 560.0}.get(pitch, 500 + 90.0 * (pitch % 12))
        tone = np.sin(2 * np.pi * hertz * t) + 0.6 * np.sin(2 * np.pi * hertz * 1.48 * t)
        return tone * np.exp(-t / (0.02 if pitch == 37 else 0.12))

    def finish(self, audio: Floats) -> Floats:
        return audio


def _noise(rng: np.random.Generator, samples: int, hertz: float | tuple, kind: str) -> Floats:
    sos = butter(2, hertz, kind, fs=SAMPLE_RATE, output="sos")
    return sosfilt(sos, rng.standard_normal(samples)).astype(np.float32)


def machine(rng: np.random.Generator) -> Kit:
    """From long and round to short and hard."""
    boom = float(rng.uniform(0.12, 0.6))
    words = ("drum machine", "electronic drums", "808" if boom > 0.35 else "909", "electro")
    return Kit(
        words, 2.5, float(rng.uniform(42, 62)), float(rng.uniform(2, 8)), boom,
        float(rng.uniform(150, 230)), float(rng.uniform(0.5, 1.2)), float(rng.uniform(0.07, 0.22)),
        float(rng.uniform(5000, 8500)), float(rng.uniform(0.025, 0.07)),
        float(rng.uniform(75, 120)), int(rng.integers(1 << 30)),
    )  # fmt: skip
