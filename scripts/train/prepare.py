# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns rendered clips into what the language model learns from: codes, notes, styles.

usage: prepare.py DATA RUN [--folder NAME] [--workers N]

RUN must hold codec.pt and style.pt. Writes RUN/NAME/{train,held}_NNN.npz, a twentieth of the
clips' own size, so that training can go on on another machine. Files that exist are kept:

    codes [clips, codebooks, frames] uint16; told [clips, 128, frames] uint8, see `told`;
    styles [clips, variants, levels] uint8; drums, plain [clips] bool.

And RUN/NAME/values.npz: the codec's vectors.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import zlib
from pathlib import Path

import dataset
import numpy as np
import torch
from captions import sound_caption
from codec import Codec, place_weights, unit
from depthformer import Sizes
from notes import ONSET
from style import SEGMENT_FRAMES, StyleModel, audio_statistics
from tokens import TAUGHT, UNSEEN, VALUES
from tqdm import tqdm

SHARDS = 8  # in a file
SOUND_VARIANTS = 4  # styles of a clip by parts of its own sound; then by its words, by its name


def told(clips: dataset.Clips) -> np.ndarray:
    """What the model is told of every clip's notes, [clips, frames, 128] uint8."""
    sizes = Sizes()
    out = np.empty(clips.rolls.shape, np.uint8)
    for part in np.array_split(np.arange(len(out)), max(1, len(out) // 64)):
        roll, velocity = clips.rolls[part], clips.velocities[part].astype(np.int64)
        level = velocity * sizes.velocity_levels // 128
        onset = roll >= ONSET
        after = sizes.history.told(roll > 0, onset, velocity)
        out[part] = np.where(onset, roll + level * sizes.onset_phases, after)
    return out


@torch.no_grad()
def codes(codec: Codec, clips: dataset.Clips) -> np.ndarray:
    """Codes [clips, frames, codebooks] uint16."""
    z = torch.stack([codec.basis.encode(unit(clip)) for clip in clips.features])
    weights = torch.stack([place_weights(unit(clip)) for clip in clips.features])
    parts = [codec.quantiser.encode_steady(z), codec.encode_stereo(unit(clips.stereo), weights)]
    return torch.cat(parts, -1).numpy().astype(np.uint16)


@torch.no_grad()
def styles(style: StyleModel, clips: dataset.Clips, rng: np.random.Generator) -> np.ndarray:
    """[clips, variants, levels]: by parts of its own sound, its caption, its sound's name."""
    out = []
    for features, family, words, sound in zip(
        clips.features, clips.families, clips.captions, clips.sounds, strict=True
    ):
        parts = []
        for _ in range(SOUND_VARIANTS):
            length = int(rng.integers(*SEGMENT_FRAMES))
            at = int(rng.integers(0, len(features) - length))
            parts.append(audio_statistics(features[at : at + length].astype(np.float32) / 255))
        name = sound_caption(rng, int(family), str(sound).split(",")[0])
        points = [style.embed_audio(torch.from_numpy(np.stack(parts)))]
        points.append(style.embed_text([str(words), name]))
        out.append(style.quantise(torch.cat(points)).numpy())
    return np.stack(out).astype(np.uint8)


def _job(job: tuple[Path, Path, list[Path]]) -> None:
    run, path, shards = job
    torch.set_num_threads(1)
    codec, style = Codec(), StyleModel()
    codec.load_state_dict(torch.load(run / "codec.pt", weights_only=True))
    style.load_state_dict(torch.load(run / "style.pt", weights_only=True))
    clips = dataset.read(shards)
    alone = np.array([" and " not in c for c in clips.captions])
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        codes=codes(codec, clips).swapaxes(1, 2),
        told=told(clips).swapaxes(1, 2),
        styles=styles(style, clips, np.random.default_rng(zlib.crc32(path.name.encode()))),
        drums=clips.drums,
        plain=alone & (clips.effects == 0),
    )
    part.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--folder", default=TAUGHT, choices=(TAUGHT, UNSEEN))
    parser.add_argument("--workers", type=int, default=mp.cpu_count())
    args = parser.parse_args()
    folder = args.run / args.folder
    folder.mkdir(exist_ok=True)
    codec = Codec()
    codec.load_state_dict(torch.load(args.run / "codec.pt", weights_only=True))
    np.savez_compressed(
        folder / VALUES,
        codebooks=codec.quantiser.codebooks.numpy().astype(np.float16),
        code_values=codec.code_values(Sizes.code_dims).numpy(),
    )
    jobs = []
    for validation, name in ((False, "train"), (True, "held")):
        shards = dataset.shard_paths(args.data, validation)
        for number, at in enumerate(range(0, len(shards), SHARDS)):
            path = folder / f"{name}_{number:03d}.npz"
            if not path.exists():
                jobs.append((args.run, path, shards[at : at + SHARDS]))
    with mp.get_context("spawn").Pool(args.workers) as pool:
        for _ in tqdm(pool.imap_unordered(_job, jobs), total=len(jobs), unit="file"):
            pass


if __name__ == "__main__":
    main()
