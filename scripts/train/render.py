# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders training clips: random music through freely licensed soundfonts, stored as features.

usage: render.py OUT_DIR [--hours H] [--workers N] [--seed S]

Each shard `clips_NNNN.npz` holds features [clips, frames, 4, 384] uint8, rolls [clips, frames, 128]
uint8, style and program. Shards that exist are kept, so the job stops and resumes.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
from functools import cache
from pathlib import Path

import numpy as np
import phrases
import tinysoundfont
import torch
from features import FRAME, HOP, HOPS_PER_FRAME, SAMPLE_RATE, FeatureExtractor
from sounds import DRUM_BANK, SOUNDFONTS, STYLES, Style
from tqdm import tqdm

FRAMES = 512  # 20.48 s a clip
CLIPS_PER_SHARD = 16
VELOCITY = 96
TARGET_PEAK = 0.25  # of a single note, so that chords keep headroom


class Source:
    """One soundfont program, levelled so that every sound is about equally loud."""

    def __init__(self, font: int, program: int, drums: bool) -> None:
        self.synth, sound = _synth(font)
        self.program, self.drums, self.sound = program, drums, sound
        self.gain = 1.0
        self.select()
        self.gain = TARGET_PEAK / max(1e-3, self._probe_peak())

    def select(self) -> None:
        bank = DRUM_BANK if self.drums else 0
        self.synth.program_select(0, self.sound, bank, self.program, self.drums)

    def _probe_peak(self) -> float:
        pitches = (36, 38, 45) if self.drums else (48, 60, 72)
        peaks = []
        for pitch in pitches:
            notes = [phrases.Note(0, 60, pitch)]
            peaks.append(float(np.abs(self.render(notes, 100)).max()))
        return float(np.median(peaks))

    def render(self, notes: list[phrases.Note], hops: int) -> np.ndarray:
        """Mono audio [hops * HOP] float32 of notes on the hop grid."""
        self.synth.sounds_off(0)
        self.select()
        changes: dict[int, list[tuple[bool, int]]] = {}
        for note in notes:
            changes.setdefault(note.start, []).append((True, note.pitch))
            changes.setdefault(note.end, []).append((False, note.pitch))
        audio = np.zeros(hops * HOP, np.float32)
        at = 0
        for hop in [*sorted(h for h in changes if h < hops), hops]:
            if hop > at:
                block = np.frombuffer(self.synth.generate((hop - at) * HOP), np.float32)
                audio[at * HOP : hop * HOP] = block.reshape(-1, 2).mean(axis=1)
                at = hop
            for on, pitch in sorted(changes.get(hop, [])):
                (self.synth.noteon(0, pitch, VELOCITY) if on else self.synth.noteoff(0, pitch))
        self.synth.notes_off(0)
        for _ in range(4):  # empty the tails before the next clip
            tail = np.frombuffer(self.synth.generate(SAMPLE_RATE), np.float32)
            if np.abs(tail).max() < 1e-4:
                break
        return audio * self.gain


@cache
def _synth(font: int) -> tuple[tinysoundfont.Synth, int]:
    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE, gain=0)
    return synth, synth.sfload(str(SOUNDFONTS[font]))


@cache
def _source(font: int, program: int, drums: bool) -> Source:
    return Source(font, program, drums)


@cache
def _extractor() -> FeatureExtractor:
    torch.set_num_threads(1)
    return FeatureExtractor()


def render_clip(rng: np.random.Generator, style: Style) -> tuple[np.ndarray, np.ndarray, int, int]:
    """One clip: features, roll, font and program."""
    font, program = int(rng.choice(style.fonts)), int(rng.choice(style.programs))
    notes = phrases.clip(rng, style, FRAMES * HOPS_PER_FRAME)
    audio = _source(font, program, style.drums).render(notes, FRAMES * HOPS_PER_FRAME)
    values = phrases.roll(notes, FRAMES, HOPS_PER_FRAME)
    return _extractor()(np.clip(audio, -1, 1), FRAMES), values, font, program


def _shard(job: tuple[int, int, Path]) -> int:
    seed, number, path = job
    rng = np.random.default_rng([seed, number])
    shares = np.array([s.share for s in STYLES])
    styles = rng.choice(len(STYLES), CLIPS_PER_SHARD, p=shares / shares.sum())
    rows = [render_clip(rng, STYLES[s]) for s in styles]
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        features=np.stack([r[0] for r in rows]),
        rolls=np.stack([r[1] for r in rows]),
        styles=styles.astype(np.int32),
        fonts=np.array([r[2] for r in rows], np.int32),
        programs=np.array([r[3] for r in rows], np.int32),
    )
    part.rename(path)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=mp.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shard_seconds = CLIPS_PER_SHARD * FRAMES * FRAME / SAMPLE_RATE
    count = max(1, round(args.hours * 3600 / shard_seconds))
    paths = [args.out / f"clips_{n:04d}.npz" for n in range(count)]
    jobs = [(args.seed, n, p) for n, p in enumerate(paths) if not p.exists()]
    with mp.get_context("spawn").Pool(args.workers) as pool:
        for _ in tqdm(pool.imap_unordered(_shard, jobs), total=len(jobs), unit="shard"):
            pass


if __name__ == "__main__":
    main()
