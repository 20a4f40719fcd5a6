# SPDX-License-Identifier: GPL-3.0-or-later
"""Soundfont programs, levelled so that every sound is about equally loud."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import tinysoundfont
from notes import SAMPLE_RATE, TICK, Note
from numpy.typing import NDArray
from sounds import DRUM_BANK, SOUNDFONTS

from sources.player import TARGET_PEAK, key_pan, loudness

Floats = NDArray[np.float32]

ZONES = 6  # channels, each with its own place from left to right
CC_PAN = 10
LATE = 0.05  # of a note's early peak: where the ear, and the latency measurement, hears it begin
PROBE = 3 * SAMPLE_RATE // 2  # pads need that long to swell
FLUSH = SAMPLE_RATE // 10


class Soundfont:
    """One program of one soundfont; not safe to share between threads."""

    def __init__(self, font: int, program: int, drums: bool) -> None:
        self.synth, self.sound = _synth(font)
        self.program, self.drums = program, drums
        self.gain, self.latency = 1.0, 0
        pitches = (36, 38, 42, 45) if drums else (48, 55, 60, 67, 72)
        probes = [self._render([Note(0, 240, p)], PROBE, 0.0) for p in pitches]
        peaks = [float(np.abs(p).max()) for p in probes]
        self.gain = TARGET_PEAK / max(1e-3, float(np.median(peaks)))
        self.latency = min(_beginning(p) for p in probes)

    def play(self, notes: Sequence[Note], samples: int, width: float = 0.0) -> Floats:
        """Audio [samples, 2] of notes; silence that a sample begins with is left out."""
        audio = self._render(notes, samples + self.latency, width)
        return audio[self.latency :] * np.float32(self.gain)

    def _select(self, width: float) -> None:
        bank = DRUM_BANK if self.drums else 0
        for zone in range(ZONES):
            self.synth.program_select(zone, self.sound, bank, self.program, self.drums)
            self.synth.control_change(zone, CC_PAN, round(64 + 63 * key_pan(_centre(zone), width)))

    def _render(self, notes: Sequence[Note], samples: int, width: float) -> Floats:
        self.synth.sounds_off()
        self.synth.generate(FLUSH)
        self._select(width)
        changes: dict[int, list[tuple[bool, int, int]]] = {}
        for note in notes:
            power = int(np.clip(round(96 * loudness(note.velocity)), 1, 127))
            changes.setdefault(note.start, []).append((True, note.pitch, power))
            changes.setdefault(note.end, []).append((False, note.pitch, 0))
        parts, at = [], 0
        for tick in [*sorted(c for c in changes if c * TICK < samples), -1]:
            until = samples if tick < 0 else tick * TICK
            if until > at:
                parts.append(np.frombuffer(self.synth.generate(until - at), np.float32))
                at = until
            for on, pitch, power in sorted(changes.get(tick, [])):
                zone = 0 if self.drums else _zone(pitch)
                if on:
                    self.synth.noteon(zone, pitch, power)
                else:
                    self.synth.noteoff(zone, pitch)
        return np.concatenate(parts).reshape(-1, 2)


def _zone(pitch: int) -> int:
    return int(np.clip((pitch - 30) // 12, 0, ZONES - 1))


def _centre(zone: int) -> int:
    return 36 + 12 * zone


def _beginning(audio: Floats) -> int:
    """Samples of silence before the first sound."""
    level = np.abs(audio).max(axis=1)
    early = float(level[: SAMPLE_RATE // 10].max())
    return int(np.argmax(level > LATE * early)) if early > 0 else 0


@cache
def _synth(font: int) -> tuple[tinysoundfont.Synth, int]:
    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE, gain=0)
    return synth, synth.sfload(str(SOUNDFONTS[font]))


@cache
def soundfont(font: int, program: int, drums: bool) -> Soundfont:
    """The program, loaded once a process."""
    return Soundfont(font, program, drums)
