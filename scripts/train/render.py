# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders training clips: random music through soundfonts and synthesis, stored as features.

usage: render.py OUT_DIR [--hours H] [--workers N] [--seed S]
       render.py --preview DIR [--clips N] [--only-sources NAME,...]

Each shard `clips_NNNN.npz` holds, for its clips of 512 frames of 40 ms:
    features [clips, frames, 4, 384] uint8, of the mid signal (see features.py);
    stereo [clips, frames, 16, 2] uint8, pan and width by region (see features.py);
    rolls, velocities [clips, frames, 128] uint8 (see notes.py);
    families int32, drums bool, effects uint8, captions and sounds unicode, all [clips].
Shards that exist are kept, so the job stops and resumes. A preview is WAV, MIDI and a picture.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
from functools import cache
from pathlib import Path

import clips
import notes
import numpy as np
import torch
from features import FRAME, SAMPLE_RATE, FeatureExtractor
from sounds import STYLES
from tqdm import tqdm

FRAMES = 512  # 20.48 s a clip
CLIPS_PER_SHARD = 16


@cache
def _extractor() -> FeatureExtractor:
    torch.set_num_threads(1)
    return FeatureExtractor()


def shard(seed: int, number: int) -> dict[str, np.ndarray]:
    """The arrays of one shard; the same for the same seed and number."""
    rng = np.random.default_rng([seed, number])
    shares = np.array([s.share for s in STYLES])
    families = rng.choice(len(STYLES), CLIPS_PER_SHARD, p=shares / shares.sum())
    rows: dict[str, list] = {}
    for family in families:
        clip = clips.make(np.random.default_rng([*rng.integers(1 << 30, size=2)]), family, FRAMES)
        mid, stereo = _extractor().stereo(clip.audio, FRAMES)
        roll, velocities = notes.rolls(clip.notes, FRAMES)
        for key, value in (
            ("features", mid), ("stereo", stereo), ("rolls", roll), ("velocities", velocities),
            ("families", np.int32(family)), ("drums", clip.drums),
            ("effects", np.uint8(clip.effects)), ("captions", clip.caption), ("sounds", clip.sound),
        ):  # fmt: skip
            rows.setdefault(key, []).append(value)
    return {key: np.stack([np.asarray(v) for v in values]) for key, values in rows.items()}


def _job(job: tuple[int, int, Path]) -> int:
    seed, number, path = job
    part = path.with_suffix(".part.npz")
    np.savez(part, **shard(seed, number))
    part.rename(path)
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--workers", type=int, default=mp.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--preview", type=Path, help="write clips to listen to and look at")
    parser.add_argument("--clips", type=int, default=12, help="of the preview")
    parser.add_argument("--only-sources", default="", help="of the preview, with commas between")
    args = parser.parse_args()
    if args.preview:
        from preview import preview

        preview(
            args.preview, args.clips, args.seed, tuple(filter(None, args.only_sources.split(",")))
        )
    if args.out is None:
        if not args.preview:
            parser.error("say where the shards go, or --preview DIR")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    shard_seconds = CLIPS_PER_SHARD * FRAMES * FRAME / SAMPLE_RATE
    count = max(1, round(args.hours * 3600 / shard_seconds))
    paths = [args.out / f"clips_{n:04d}.npz" for n in range(count)]
    jobs = [(args.seed, n, p) for n, p in enumerate(paths) if not p.exists()]
    with mp.get_context("spawn").Pool(args.workers) as pool:
        for _ in tqdm(pool.imap_unordered(_job, jobs), total=len(jobs), unit="shard"):
            pass


if __name__ == "__main__":
    main()
