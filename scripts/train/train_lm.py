# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the language model on codes.

usage: train_lm.py DATA RUN [--seconds S] [--device auto|cpu|cuda] [--workers N]

RUN must hold codec.pt and style.pt. Writes RUN/lm.pt (weights, optimiser, step, seconds spent)
every few minutes and goes on from it. The learning rate follows the seconds spent of --seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import dataset
import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from codec import Codec, unit
from depthformer import RESERVED, Depthformer, Sizes
from sounds import STYLES
from style import StyleModel, audio_statistics, caption
from torch import Tensor
from tqdm import tqdm

CROP = 128
BATCH = 12
DEPTH_SHARE = 0.35  # of the frames train the depth decoder in each step
WRONG_PAST = 0.65  # of the crops see another crop's codes for up to two and a half seconds
NO_HISTORY = 0.25  # of the crops see no codes of the past: what sounds must come from the notes
WARM_FRAMES = 6  # at a crop's start carry no loss: their past is cut off
PEAK_RATE = 1.5e-3
SAVE_SECONDS = 120
# Weight of each code's loss. The first code of each band group says what sounds; the deep ones are
# mostly unpredictable, and at equal weight their noise drowns the gradient of the first.
LEVEL_WEIGHT = 0.82 ** np.arange(32)


class Batches:
    """Random crops with masked, corrupted conditioning."""

    def __init__(self, clips: dataset.Clips, codes: Tensor, style: StyleModel, seed: int) -> None:
        self.clips, self.codes = clips, codes
        self.rng = np.random.default_rng(seed)
        self.style_codes = self._style_codes(style)

    @torch.no_grad()
    def _style_codes(self, style: StyleModel) -> np.ndarray:
        """[clips, 6 variants, levels]: from the clip's own sound, from captions, and blends."""
        out = []
        for features, number in zip(self.clips.features, self.clips.styles, strict=True):
            at = int(self.rng.integers(0, len(features) - 150))
            sound = torch.from_numpy(
                audio_statistics(features[at : at + 150].astype(np.float32) / 255)
            )
            points = [style.embed_audio(sound[None])]
            points.append(style.embed_text([caption(self.rng, number) for _ in range(5)]))
            out.append(style.quantise(torch.cat(points)).numpy())
        return np.stack(out)

    def draw(self, size: int) -> dict[str, Tensor]:
        """style, notes, drums, guidance, previous, codes: one batch of crops."""
        rng = self.rng
        clip = rng.integers(0, len(self.codes), size)
        at = rng.integers(0, self.codes.shape[1] - CROP, size)
        codes = torch.stack(
            [self.codes[c, a : a + CROP] for c, a in zip(clip, at, strict=True)]
        ).long()
        before = torch.stack(
            [self.codes[c, max(a - 1, 0)] for c, a in zip(clip, at, strict=True)]
        ).long()
        notes = np.stack(
            [self.clips.rolls[c, a : a + CROP] for c, a in zip(clip, at, strict=True)]
        ).astype(np.int64)
        variant = rng.integers(0, self.style_codes.shape[1], size)
        style = np.repeat(self.style_codes[clip, variant][:, None], CROP, 1).astype(np.int64)
        is_drums = np.array([STYLES[s].drums for s in self.clips.styles[clip]])
        drums = np.repeat(is_drums[:, None].astype(np.int64), CROP, 1)
        for row in range(size):
            self._vary(notes[row], style[row], drums[row])
        guidance = rng.integers(0, (41, 41, 9), (size, 1, 3)).repeat(CROP, 1)
        fresh = torch.from_numpy(at == 0)
        return {
            "style": torch.from_numpy(style),
            "notes": torch.from_numpy(notes),
            "drums": torch.from_numpy(drums),
            "guidance": torch.from_numpy(guidance),
            "previous": self._previous(codes, before, fresh),
            "codes": codes,
        }

    def _vary(self, notes: np.ndarray, style: np.ndarray, drums: np.ndarray) -> None:
        """Masks conditioning in place, as players will: no style, no notes, strum, unmask width."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.10:  # strum: sounding, onsets not told
            notes[notes > 0] = 3
        elif kind < 0.18:  # onsets without their place in the frame
            notes[notes > 3] = 2
        if rng.random() < 0.12:  # only pitches near the played ones are told
            width = int(rng.integers(0, 25))
            near = notes > 0
            reach = np.zeros_like(near)
            for shift in range(-width, width + 1):
                rolled = np.roll(near, shift, 1)
                if shift > 0:
                    rolled[:, :shift] = False
                elif shift < 0:
                    rolled[:, shift:] = False
                reach |= rolled
            notes[~reach] = -1
        chance = rng.random()
        if chance < 0.07:  # guidance needs to know the model without notes
            notes[:] = -1
        elif chance < 0.12:
            begin, end = sorted(rng.integers(0, len(notes) + 1, 2))
            notes[begin:end] = -1
        if rng.random() < 0.08:
            style[:] = -1
        elif rng.random() < 0.15:
            style[:, int(rng.integers(2, style.shape[1])) :] = -1
        if rng.random() < 0.5:
            drums[:] = -1

    def _previous(self, codes: Tensor, before: Tensor, fresh: Tensor) -> Tensor:
        """Unique ids of the frame before, with the errors a free-running stream makes."""
        size, _, books = codes.shape
        previous = torch.cat([before[:, None], codes[:, :-1]], 1)
        rate = torch.where(torch.rand(size, 1, 1) < 0.5, torch.rand(size, 1, 1) * 0.35, 0.02)
        slope = torch.linspace(0.4, 1.6, books)
        hit = torch.rand(previous.shape) < rate * slope
        previous = torch.where(hit, torch.randint(0, 1024, previous.shape), previous)
        unique = previous + RESERVED + torch.arange(books) * 1024
        unique[fresh, 0] = 0
        self._swap_pasts(unique)
        blank = torch.rand(size, codes.shape[1]) < torch.where(
            torch.rand(size, 1) < NO_HISTORY, 1.0, 0.1
        )
        unique[blank] = 0
        return unique

    def _swap_pasts(self, unique: Tensor) -> None:
        """Gives some crops another crop's past for a while, in place.

        A model that only saw its own past learns to repeat it, and a free-running stream then
        hums on whatever is played. Where past and notes disagree, the notes must win.
        """
        size, frames, _ = unique.shape
        source = unique.clone()
        for row in range(size):
            if self.rng.random() < WRONG_PAST:
                other = int(self.rng.integers(size))
                begin = int(self.rng.integers(frames - 4))
                end = begin + int(self.rng.integers(4, 64))
                unique[row, begin:end] = source[other, begin:end]


@torch.no_grad()
def encode_all(codec: Codec, clips: dataset.Clips, cache: Path) -> Tensor:
    """Codes [clips, frames, codebooks] int16 of every clip, kept in `cache`."""
    if cache.exists():
        codes = torch.load(cache, weights_only=True)
        if len(codes) == len(clips.features):
            return codes
    z = torch.stack([codec.basis.encode(unit(clip)) for clip in clips.features])
    codes = torch.cat(
        [codec.quantiser.encode_steady(part) for part in tqdm(z.split(256), unit="part")]
    )
    torch.save(codes, cache)
    return codes


def level_losses(model: Depthformer, batch: dict[str, Tensor], share: float) -> Tensor:
    """Mean cross entropy of each codebook over a random share of the frames, [codebooks]."""
    encoded = model.encode(batch["style"], batch["notes"], batch["drums"], batch["guidance"])
    temporal = model.run_temporal(batch["previous"], encoded)
    b, t, _width = temporal.shape
    onset = (batch["notes"] > 1).any(-1) & (batch["notes"] < 99).any(-1)
    chance = torch.rand(b, t, device=temporal.device)
    chance[:, :WARM_FRAMES] = -1
    # Frames with an onset decide whether a note is heard at all: they are drawn more often.
    chance = chance + 0.25 * onset.to(chance)
    pick = chance.flatten().topk(int(share * b * t)).indices
    codes = batch["codes"].flatten(0, 1)[pick]
    logits = model.run_depth(temporal.flatten(0, 1)[pick], codes)
    return torch.stack(
        [torch.nn.functional.cross_entropy(x, codes[:, k]) for k, x in enumerate(logits)]
    )


def average_over_workers(parameters: list[Tensor], spent: float, workers: int) -> float:
    """Averages gradients, and the clock that the learning rate follows, over all workers."""
    if workers == 1:
        return spent
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients] + [torch.tensor([spent])])
    dist.all_reduce(flat)
    flat /= workers
    at = 0
    for gradient in gradients:
        gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
        at += gradient.numel()
    return float(flat[-1])


class Run:
    """One training run: model, optimiser, progress, and where they are kept."""

    def __init__(self, sizes: Sizes, codebooks: Tensor, path: Path, device: str) -> None:
        self.sizes, self.path, self.device = sizes, path, device
        self.model = Depthformer(sizes)
        self.model.use_codebooks(codebooks)
        self.model.to(device)
        self.parameters = list(self.model.parameters())
        groups = [
            {"params": list(parameters), "weight_decay": decay, "scale": scale}
            for parameters, decay, scale in self._groups()
        ]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95))
        self.step, self.spent = 0, 0.0
        if path.exists():
            saved = torch.load(path, weights_only=True, map_location=device)
            self.model.load_state_dict(saved["model"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.spent = saved["step"], saved["spent"]

    def _groups(self) -> list[tuple[list[Tensor], float, float]]:
        """Parameters, weight decay and learning rate scale: the road of the notes learns faster."""
        fast = [self.model.regular_table.weight]
        middle = [
            p
            for layer in self.model.temporal
            for p in layer.cross_attention.body.parameters()
            if p.ndim == 2
        ]
        special = {id(p) for p in (*fast, *middle)}
        rest = [p for p in self.parameters if id(p) not in special]
        return [
            (fast, 0.02, 4.0),
            (middle, 0.02, 2.0),
            ([p for p in rest if p.ndim > 1], 0.02, 1.0),
            ([p for p in rest if p.ndim <= 1], 0.0, 1.0),
        ]

    def save(self) -> None:
        part = self.path.with_suffix(".part")
        saved = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        saved |= {"step": self.step, "spent": self.spent, "sizes": asdict(self.sizes)}
        torch.save(saved, part)
        part.rename(self.path)

    def losses(self, batch: dict[str, Tensor]) -> Tensor:
        batch = {k: v.to(self.device) for k, v in batch.items()}
        with torch.autocast(self.device, torch.bfloat16):
            return level_losses(self.model, batch, DEPTH_SHARE)

    def train_step(self, batch: dict[str, Tensor], rate: float, workers: int) -> Tensor:
        """One step; returns each codebook's loss."""
        started = time.time()
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        losses = self.losses(batch)
        weight = torch.from_numpy(LEVEL_WEIGHT[: len(losses)]).to(losses)
        self.optimiser.zero_grad()
        (losses * weight).mean().div(weight.mean()).backward()
        self.spent = average_over_workers(self.parameters, self.spent, workers)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.step += 1
        self.spent += time.time() - started
        return losses.detach()


def report(run: Run, rate: float, mean: Tensor) -> None:
    shown = " ".join(f"{x:.2f}" for x in mean.tolist())
    print(f"step {run.step} {run.spent:.0f} s rate {rate:.1e} | {shown}", flush=True)


def validate(run: Run, held: Batches) -> None:
    """Appends the loss on held-back clips to RUN/lm.jsonl."""
    with torch.no_grad():
        test = run.losses(held.draw(24)).tolist()
    record = {"step": run.step, "seconds": round(run.spent), "held": [round(x, 3) for x in test]}
    with run.path.with_suffix(".jsonl").open("a") as log:
        log.write(json.dumps(record) + "\n")
    print("held   " + " ".join(f"{x:.2f}" for x in test), flush=True)


def work(rank: int, args: argparse.Namespace) -> None:
    """One worker: all draw their own crops and step together."""
    workers, leads = args.workers, rank == 0
    torch.set_num_threads(max(1, (mp.cpu_count() or 1) // workers))
    if workers > 1:
        rendezvous = f"file://{(args.run / 'rendezvous').resolve()}"
        dist.init_process_group("gloo", rendezvous, rank=rank, world_size=workers)
    torch.manual_seed(time.time_ns() % 2**31 + rank)
    codec, style = Codec(), StyleModel()
    codec.load_state_dict(torch.load(args.run / "codec.pt", weights_only=True))
    style.load_state_dict(torch.load(args.run / "style.pt", weights_only=True))
    sets = []
    for validation in (False, True):
        clips = dataset.load(args.data, validation)
        codes = encode_all(codec, clips, args.run / f"codes_{'held' if validation else 'train'}.pt")
        sets.append(Batches(clips, codes, style, time.time_ns() % 2**31 + rank))
        clips.features = clips.features[:0]  # no longer needed, and large
    training, held = sets
    sizes = Sizes(codebooks=training.codes.shape[-1])
    run = Run(sizes, codec.quantiser.codebooks, args.run / "lm.pt", args.device)
    if workers > 1:  # every worker starts from the first one's weights
        for value in run.parameters:
            dist.broadcast(value.data, 0)
    if leads:
        print(f"{len(training.codes)} clips, from step {run.step}, {run.spent:.0f} s", flush=True)
    mean, saved_at = None, time.time()
    while run.spent < args.seconds:
        left = 1 - run.spent / args.seconds
        rate = PEAK_RATE * min(1, (run.step + 1) / 150) * min(1.0, 1.7 * left + 0.01)
        losses = run.train_step(training.draw(max(1, args.batch // workers)), rate, workers)
        mean = losses if mean is None else mean + (losses - mean) / min(run.step, 100)
        if not leads:
            continue
        if run.step % 50 == 0:
            report(run, rate, mean)
        if time.time() - saved_at > SAVE_SECONDS:
            run.save()
            validate(run, held)
            saved_at = time.time()
    if leads:
        run.save()
        validate(run, held)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seconds", type=float, default=5400)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        help="processes that share a batch on the CPU; more robust than threads on a busy machine",
    )
    args = parser.parse_args()
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    if args.workers == 1:
        work(0, args)
        return
    (args.run / "rendezvous").unlink(missing_ok=True)
    mp.start_processes(work, (args,), nprocs=args.workers, start_method="spawn")


if __name__ == "__main__":
    main()
