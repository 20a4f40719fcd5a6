# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the magnitude codec: PCA, k-means residual quantiser, then the post-net by gradient.

usage: fit_codec.py DATA RUN [--seconds S]

Writes RUN/codec.pt; run again with more --seconds it goes on with the post-net (basis and
quantiser stay, so codes made with them stay valid).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import dataset
import torch
from codec import CODE_SIZE, GROUPS, Codec, code_order, nearest, unit
from torch import Tensor

FIT_FRAMES = 160_000
CROP = 48
BATCH = 24


def fit_quantiser(codec: Codec, z: Tensor) -> None:
    """k-means level by level on latents [n, LATENT]; dead centres restart at random points."""
    starts = [sum(g[2] for g in GROUPS[:n]) for n in range(len(GROUPS))]
    residual = z.clone()
    for book, (group, level) in enumerate(code_order()):
        span = slice(starts[group], starts[group] + GROUPS[group][2])
        x = residual[:, span].contiguous()
        centres = x[torch.randperm(len(x))[:CODE_SIZE]].clone()
        for _ in range(12):
            index = nearest(x, centres)
            count = torch.bincount(index, minlength=CODE_SIZE).float()
            total = torch.zeros_like(centres).index_add_(0, index, x)
            centres = total / count.clamp(min=1)[:, None]
            dead = count < 3
            centres[dead] = x[torch.randperm(len(x))[: int(dead.sum())]]
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


def loss_of(out: Tensor, target: Tensor) -> Tensor:
    """Level-weighted L1 on features, on their slope over bands and on their change over hops."""
    weight = 0.3 + 2.5 * target
    error = ((out - target).abs() * weight).mean()
    slope = ((out.diff(dim=-1) - target.diff(dim=-1)).abs() * weight[..., 1:]).mean()
    a, b = out.flatten(1, 2), target.flatten(1, 2)
    change = ((a.diff(dim=1) - b.diff(dim=1)).abs() * weight.flatten(1, 2)[:, 1:]).mean()
    return error + 0.7 * slope + 1.5 * change


def corrupt(codes: Tensor) -> Tensor:
    """Random codes past the first level of each group, as a sampled stream will have them."""
    rate = torch.where(torch.rand(len(codes), 1, 1) < 0.5, torch.rand(len(codes), 1, 1) * 0.12, 0.0)
    hit = torch.rand(codes.shape) < rate
    hit[..., : len(GROUPS)] = False
    return torch.where(hit, torch.randint(0, CODE_SIZE, codes.shape), codes)


def train_post_net(
    codec: Codec, features: Tensor, codes: Tensor, seconds: float, path: Path
) -> None:
    """Adam on random crops until the time is up."""
    optimiser = torch.optim.AdamW(codec.post.parameters(), 1e-3, (0.9, 0.98), weight_decay=0.01)
    started, step, mean = time.time(), 0, 0.0
    while (spent := time.time() - started) < seconds:
        for group in optimiser.param_groups:
            group["lr"] = 1.2e-3 * min(1, step / 100) * min(1, 2.2 * (1 - spent / seconds) + 0.02)
        clip = torch.randint(0, len(features), (BATCH,))
        at = torch.randint(0, features.shape[1] - CROP, (BATCH,))
        x = (
            torch.stack([features[c, a : a + CROP] for c, a in zip(clip, at, strict=True)]).float()
            / 255
        )
        tokens = torch.stack([codes[c, a : a + CROP] for c, a in zip(clip, at, strict=True)]).long()
        z = codec.quantiser.decode(corrupt(tokens))
        base = codec.basis.decode(z)
        with torch.autocast("cpu", torch.bfloat16):
            fix = codec.post(z)
        loss = loss_of((base + fix.float())[:, 4:], x[:, 4:])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.post.parameters(), 1.0)
        optimiser.step()
        step += 1
        mean += (loss.item() - mean) / min(step, 100)
        if step % 50 == 0:
            plain = loss_of(base[:, 4:], x[:, 4:]).item()
            print(
                f"post-net step {step}, {spent:.0f} s, loss {mean:.4f} (without {plain:.4f})",
                flush=True,
            )
        if step % 400 == 0:
            torch.save(codec.state_dict(), path)
    torch.save(codec.state_dict(), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=300)
    args = parser.parse_args()
    args.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    clips = dataset.load(args.data, validation=False, limit=60)
    codec, path = Codec(), args.run / "codec.pt"
    if path.exists():
        codec.load_state_dict(torch.load(path, weights_only=True))
    else:
        flat = clips.features.reshape(-1, *clips.features.shape[2:])
        pick = torch.randperm(len(flat))[:FIT_FRAMES].numpy()
        x = unit(flat[pick])
        with torch.no_grad():
            codec.basis.fit(x)
            fit_quantiser(codec, codec.basis.encode(x))
        torch.save(codec.state_dict(), path)
    with torch.no_grad():
        z = torch.stack([codec.basis.encode(unit(clip)) for clip in clips.features])
        codes = torch.cat([codec.quantiser.encode_steady(part) for part in z.split(256)])
    if args.seconds > 0:
        train_post_net(codec, torch.from_numpy(clips.features), codes, args.seconds, path)


if __name__ == "__main__":
    main()
