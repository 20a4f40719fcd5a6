# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays notes with a synthesised voice: notes are made once per pitch, loudness and clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from notes import SAMPLE_RATE, TICK, Note
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TARGET_PEAK = 0.25  # of a single note of velocity 96, so that chords keep headroom
LAYER = 24  # velocities that share a timbre
LOUDNESS_POWER = 1.5  # of velocity; 40 is 11 dB under 96
LENGTH_STEP = SAMPLE_RATE // 4
LONGEST = 12 * SAMPLE_RATE  # a voice goes silent after that
FADE = 96  # samples; a cut without it would click


class Voice(Protocol):
    """A sound that can play one note.

    Attributes:
        words: adjectives and names that a caption may use.
        release: seconds until a note that was let go is 60 dB down.
    """

    words: tuple[str, ...]
    release: float

    def note(self, pitch: int, hardness: float, samples: int) -> Floats:
        """A held note [samples] or [samples, 2]; hardness 0 (softest) to 1 changes its timbre."""
        ...

    def finish(self, audio: Floats) -> Floats:
        """What the whole sound [samples, 2] goes through last, a rotating speaker for one."""
        ...


def loudness(velocity: int) -> float:
    """Amplitude of a velocity, 1 for 96."""
    return float((velocity / 96) ** LOUDNESS_POWER)


def pan_gains(pan: float) -> Floats:
    """Left and right gain for a place from -1 to 1, by constant power; the middle has 1 and 1."""
    angle = (pan + 1) * np.pi / 4
    return np.array([np.cos(angle), np.sin(angle)], np.float32) * np.float32(np.sqrt(2))


def key_pan(pitch: int, width: float) -> float:
    """Where a key stands for its player: low notes left, high notes right."""
    return float(np.clip((pitch - 66) / 36, -1, 1)) * 0.5 * width


def _needed(notes: Sequence[Note], tail: int, samples: int) -> dict[tuple[int, int], int]:
    lengths: dict[tuple[int, int], int] = {}
    for note in notes:
        key = (note.pitch, note.velocity // LAYER)
        span = min((note.end - note.start) * TICK + tail, LONGEST, samples)
        lengths[key] = max(lengths.get(key, 0), -(-span // LENGTH_STEP) * LENGTH_STEP)
    return lengths


def play(voice: Voice, notes: Sequence[Note], samples: int, width: float = 0.0) -> Floats:
    """Audio [samples, 2] of notes; each starts on its tick to the sample.

    Args:
        width: how far low and high notes stand apart, 0 to 1.
    """
    out = np.zeros((samples, 2), np.float32)
    tail = max(FADE, round(voice.release * SAMPLE_RATE))
    fall = np.exp(-6.9 * np.arange(tail, dtype=np.float32) / tail)
    fall[-FADE:] *= np.linspace(1, 0, FADE, dtype=np.float32)
    made = {
        (pitch, layer): voice.note(pitch, min(1.0, (layer + 0.5) * LAYER / 127), length)
        for (pitch, layer), length in _needed(notes, tail, samples).items()
    }
    if not made:
        return out
    gain = TARGET_PEAK / max(1e-3, float(np.median([np.abs(w).max() for w in made.values()])))
    for note in notes:
        wave = made[note.pitch, note.velocity // LAYER]
        start = note.start * TICK
        held = min((note.end - note.start) * TICK, len(wave))
        end = min(held + tail, len(wave), samples - start)
        piece = wave[:end] * np.float32(gain * loudness(note.velocity))
        if end > held:
            shape = fall[: end - held]
            piece[held:] *= shape[:, None] if piece.ndim == 2 else shape
        side = pan_gains(key_pan(note.pitch, width))
        out[start : start + end] += (piece if piece.ndim == 2 else piece[:, None]) * side
    return voice.finish(out)


def fade_in(wave: Floats, samples: int) -> Floats:
    """Takes the click off a note's beginning, in place."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 0.5) / samples)
    wave[:samples] *= ramp.astype(np.float32).reshape(-1, *[1] * (wave.ndim - 1))
    return wave


def frequency(pitch: float) -> float:
    """Hertz of a MIDI pitch."""
    return float(440 * 2 ** ((pitch - 69) / 12))


def seconds(samples: int) -> Floats:
    """Time of each sample."""
    return (np.arange(samples) / SAMPLE_RATE).astype(np.float32)
