# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the magnitude codec: PCA and a k-means quantiser.

usage: fit_codec.py DATA RUN

Writes RUN/codec.pt, in two minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dataset
import torch
from codec import CODE_SIZE, GROUPS, STEREO_LATENT, Codec, code_order, nearest, unit
from torch import Tensor

FIT_FRAMES = 90_000


def fit_quantiser(codec: Codec, z: Tensor) -> None:
    """k-means level by level on latents [n, LATENT]; dead centres restart at random points."""
    starts = [sum(g[2] for g in GROUPS[:n]) for n in range(len(GROUPS))]
    residual = z.clone()
    for book, (group, level) in enumerate(code_order()):
        span = slice(starts[group], starts[group] + GROUPS[group][2])
        x = residual[:, span].contiguous()
        centres = k_means(x)
        index = nearest(x, centres)
        residual[:, span] -= centres[index]
        codec.quantiser.codebooks[book].zero_()
        codec.quantiser.codebooks[book][:, span] = centres
        share = torch.bincount(index, minlength=CODE_SIZE).float() / len(index)
        perplexity = float(torch.exp(-(share * (share + 1e-9).log()).sum()))
        left = float(residual[:, span].square().sum() / z[:, span].square().sum())
        print(
            f"book {book:2d} group {group} level {level}: "
            f"perplexity {perplexity:5.0f}, left {left:.4f}",
            flush=True,
        )


def fit_stereo(codec: Codec, stereo: Tensor) -> None:
    """k-means of pan and width [n, REGIONS, 2] in 0..1; silence and mono have one of their own."""
    for book, x in zip(codec.stereo, stereo.flatten(1).split(STEREO_LATENT, 1), strict=True):
        book.copy_(k_means(x.contiguous()))
        book[0] = torch.tensor([0.5, 0.0]).repeat(STEREO_LATENT // 2)
        left = (x - book[nearest(x, book)]).square().sum() / (x - x.mean(0)).square().sum()
        print(f"stereo: left {left:.4f}", flush=True)


def k_means(x: Tensor) -> Tensor:
    """Centres [CODE_SIZE, values] of points [n, values]; dead ones restart at random points."""
    centres = x[torch.randperm(len(x))[:CODE_SIZE]].clone()
    for _ in range(12):
        index = nearest(x, centres)
        count = torch.bincount(index, minlength=CODE_SIZE).float()
        total = torch.zeros_like(centres).index_add_(0, index, x)
        centres = total / count.clamp(min=1)[:, None]
        dead = count < 3
        centres[dead] = x[torch.randperm(len(x))[: int(dead.sum())]]
    return centres


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--stereo-only", action="store_true", help="keep RUN/codec.pt's codes, fit pan and width"
    )
    args = parser.parse_args()
    args.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    clips = dataset.load(args.data, validation=False, limit=60)
    codec = Codec()
    flat = clips.features.reshape(-1, *clips.features.shape[2:])
    pick = torch.randperm(len(flat))[:FIT_FRAMES].numpy()
    x = unit(flat[pick])
    with torch.no_grad():
        if args.stereo_only:
            codec.load_state_dict(
                torch.load(args.run / "codec.pt", weights_only=True), strict=False
            )
        else:
            codec.basis.fit(x)
            fit_quantiser(codec, codec.basis.encode(x))
        fit_stereo(codec, unit(clips.stereo.reshape(-1, *clips.stereo.shape[2:])[pick]))
    torch.save(codec.state_dict(), args.run / "codec.pt")


if __name__ == "__main__":
    main()
