# SPDX-License-Identifier: GPL-3.0-or-later
"""Effects by pedalboard on a share of the clips, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pedalboard as pb
from notes import SAMPLE_RATE
from numpy.typing import NDArray

DRY = 0.5  # of the clips have none, so that note accuracy is learned on plain sound
REVERB, CHORUS, DRIVE, COMPRESSION, EQ, DELAY = (1 << n for n in range(6))
CEILING = 0.97


@dataclass(frozen=True)
class Chain:
    """Effects of a clip: bitmask, the words for what is heard, plug-ins in order."""

    mask: int
    words: tuple[str, ...]
    plugins: tuple[pb.Plugin, ...]


def draw(rng: np.random.Generator, drive: bool) -> Chain:
    """A random chain; none for the share `DRY`. `drive` allows distortion."""
    mask, words, plugins = 0, [], []
    if rng.random() < DRY:
        return Chain(0, (), ())
    chosen = rng.random(6) < (0.6, 0.22, 0.12 if drive else 0.0, 0.2, 0.25, 0.14)
    if not chosen.any():
        chosen[0] = True
    if chosen[4]:
        mask |= EQ
        plugin, word = _eq(rng)
        plugins += plugin
        words.append(word)
    if chosen[2]:
        mask |= DRIVE
        amount = rng.uniform(6, 24)
        plugins.append(pb.Distortion(drive_db=amount))
        words.append("distorted" if amount > 15 else "overdriven")
    if chosen[3]:
        mask |= COMPRESSION
        plugins.append(pb.Compressor(-26, rng.uniform(2, 6), rng.uniform(2, 15), 120))
        words.append(str(rng.choice(("compressed", "punchy"))))
    if chosen[1]:
        mask |= CHORUS
        plugins.append(pb.Chorus(rng.uniform(0.4, 2.0), rng.uniform(0.1, 0.35), 7, 0, 0.4))
        words.append("with chorus")
    if chosen[5]:
        mask |= DELAY
        plugins.append(
            pb.Delay(rng.uniform(0.15, 0.5), rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.25))
        )
        words.append(str(rng.choice(("with echo", "with delay"))))
    if chosen[0]:
        mask |= REVERB
        plugin, word = _reverb(rng)
        plugins.append(plugin)
        words.append(word)
    return Chain(mask, tuple(words), tuple(plugins))


def _reverb(rng: np.random.Generator) -> tuple[pb.Plugin, str]:
    size = rng.uniform(0.1, 0.85)
    place = "in a small room" if size < 0.35 else "in a room" if size < 0.6 else "in a hall"
    wet = rng.uniform(0.06, 0.25)
    word = "with reverb" if rng.random() < 0.25 else place
    return pb.Reverb(size, rng.uniform(0.2, 0.8), wet, 1 - 0.3 * wet, 1.0), word


def _eq(rng: np.random.Generator) -> tuple[list[pb.Plugin], str]:
    kind = rng.integers(4)
    if kind == 0:
        return [pb.HighShelfFilter(2500, -rng.uniform(4, 12))], "dark"
    if kind == 1:
        return [pb.HighShelfFilter(2500, rng.uniform(3, 8))], "bright"
    if kind == 2:
        return [pb.LowShelfFilter(250, rng.uniform(3, 7))], "warm"
    return [pb.HighpassFilter(rng.uniform(150, 300)), pb.LowpassFilter(3800)], "lofi"


def apply(chain: Chain, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """The chain's sound [samples, 2], as loud as what goes in, without clipping."""
    if chain.plugins:
        before = float(np.sqrt(np.mean(audio**2)))
        # Parts of several seconds keep pedalboard's buffers in the cache
        wet = pb.Pedalboard(list(chain.plugins))(audio.T, SAMPLE_RATE, buffer_size=8192).T
        after = float(np.sqrt(np.mean(wet**2)))
        audio = wet * np.float32(before / after if after > 1e-6 else 1)
    peak = float(np.abs(audio).max(initial=0))
    return np.ascontiguousarray(audio if peak < CEILING else audio * (CEILING / peak), np.float32)
