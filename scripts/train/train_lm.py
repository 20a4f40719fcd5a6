# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the language model on codes.

usage: train_lm.py RUN [--seconds S] [--device auto|cpu|cuda] [--workers N] [--batch N] [--slim]

RUN must hold what prepare.py writes. Writes RUN/lm.pt (weights, optimiser, step,
seconds spent) every few minutes and goes on from it. The learning rate follows the seconds spent of
--seconds. On a GPU the step is compiled, and --workers processes draw crops for it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import guide
import numpy as np
import tokens
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from depthformer import RESERVED, Depthformer, Sizes
from notes import ONSET
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

CROP = 128
BATCH, GPU_BATCH = 12, 96
# Of the frames, so many train the depth decoder in each step. It costs most of a step, and has
# little to learn before the temporal decoder knows what to expect: its time is the last third.
DEPTH_SHARE, DEPTH_SHARE_AT_FIRST = 0.35, 0.08
DEPTH_FROM = 0.67  # of the time
GPU_DEPTH_SHARE = 0.3  # all the time, so that the step's shapes stay as they were compiled
# Of these frames so many follow not their own codes but those nearest to what is expected: that is
# what the depth decoder sees of its own choice when it plays.
GUESSED = 0.5
ONSET_WEIGHT, SILENT_WEIGHT = 2.0, 0.5  # chances of a frame to be among them
WARM_UP = 200  # steps
WRONG_PAST = 0.65  # of the crops see another crop's codes for up to two and a half seconds
NO_HISTORY = 0.25  # of the crops see no codes of the past: what sounds must come from the notes
WARM_FRAMES = 6  # at a crop's start carry no loss: their past is cut off
PEAK_RATE = 1.5e-3
# Of the crops whose notes are all told: so many remember all the same, or did up to some frame.
REMEMBERS, REMEMBERS_AT_FIRST = 0.1, 0.3
SAVE_SECONDS = 120
MODEL = "lm.pt"  # in the run's folder
HISTORY = Sizes().history
# Weight of the lowest and the highest band's loss: fundamentals say what is played.
LEVEL_WEIGHT = (1.3, 0.5)
# Codes are names: cross entropy alone must learn from examples which of them sound alike.
HEARD_WEIGHT, ALONE_WEIGHT = 2.0, 3.0
CLEAN = 8.0  # a clip of one instrument without effects is drawn that much oftener


class Batches:
    """Random crops with masked, corrupted conditioning."""

    def __init__(self, clips: tokens.Tokens, seed: int) -> None:
        self.clips, self.codes = clips, torch.from_numpy(clips.codes.view(np.int16))
        self.rng = np.random.default_rng(seed)
        chances = np.where(clips.plain, CLEAN, 1.0)
        self.chances = chances / chances.sum()

    def draw(self, size: int) -> dict[str, Tensor]:
        """style, notes, drums, guidance, previous, codes: one batch of crops."""
        rng = self.rng
        clip = rng.choice(len(self.codes), size, p=self.chances)
        at = rng.integers(0, self.codes.shape[1] - CROP, size)
        codes = torch.stack(
            [self.codes[c, a : a + CROP] for c, a in zip(clip, at, strict=True)]
        ).long()
        before = torch.stack(
            [self.codes[c, max(a - 1, 0)] for c, a in zip(clip, at, strict=True)]
        ).long()
        notes = np.stack([self.notes(c, slice(a, a + CROP)) for c, a in zip(clip, at, strict=True)])
        variant = rng.integers(0, self.clips.styles.shape[1], size)
        style = self.clips.styles[clip, variant].astype(np.int64)
        style = np.repeat(style[:, None], CROP, 1)
        is_drums = self.clips.drums[clip]
        drums = np.repeat(is_drums[:, None].astype(np.int64), CROP, 1)
        guidance = np.array([guide.draw(rng) for _ in range(size)])
        anew = begins_anew(notes)
        for row in range(size):
            self._distrust(guidance[row], notes[row], style[row], drums[row])
            self._vary(notes[row], style[row], drums[row])
        fresh = torch.from_numpy(at == 0)
        previous = self._previous(codes, before, fresh)
        previous[torch.from_numpy(anew | self._forgotten(notes))] = 0
        drawn = {
            "style": torch.from_numpy(style),
            "notes": torch.from_numpy(notes),
            "drums": torch.from_numpy(drums),
            "guidance": torch.from_numpy(guidance[:, None].repeat(CROP, 1)),
            "previous": previous,
            "codes": codes,
        }
        return {name: value.to(torch.int16) for name, value in drawn.items()}

    def notes(self, clip: int, at: slice) -> np.ndarray:
        """What the model is told of a clip's notes [frames, 128]."""
        return self.clips.told[clip, at].astype(np.int64)

    def _forgotten(self, notes: np.ndarray) -> np.ndarray:
        """Frames [size, CROP] that are not told their past, for their notes say enough.

        The server does the same. A few crops remember, or did up to some frame, as a stream does
        that goes on from a clip.
        """
        rng, (size, frames) = self.rng, notes.shape[:2]
        until = np.where(rng.random(size) < REMEMBERS_AT_FIRST, rng.integers(8, frames, size), 0)
        until[rng.random(size) < REMEMBERS] = frames
        return (notes >= 0).all(-1) & (np.arange(frames) >= until[:, None])

    def _distrust(
        self, bins: np.ndarray, notes: np.ndarray, style: np.ndarray, drums: np.ndarray
    ) -> None:
        """Makes conditioning wrong, in place, the oftener the lower its guidance is.

        That is what teaches the guidance scales: at a low one the model learns to go its own way.
        """
        rng = self.rng
        wrong_style, wrong_notes, wrong_drums = rng.random(3) < guide.doubt(bins)
        other = int(rng.integers(len(self.codes)))
        if wrong_style:
            style[:] = self.clips.styles[other, rng.integers(self.clips.styles.shape[1])]
        if wrong_drums:
            drums[:] = 1 - drums
        if wrong_notes:
            begin = int(rng.integers(self.codes.shape[1] - CROP))
            guide.misplay(rng, notes, self.notes(other, slice(begin, begin + CROP)))

    def _vary(self, notes: np.ndarray, style: np.ndarray, drums: np.ndarray) -> None:
        """Masks conditioning in place, as players will: no style, no notes, strum, unmask width."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.08:  # strum: sounding, onsets not told
            notes[sounding(notes)] = 3
        elif kind < 0.12:  # onsets without their place in the frame
            notes[struck(notes)] = 2
        if rng.random() < 0.12:  # only pitches near the played ones are told
            width = int(rng.integers(0, 25))
            near = sounding(notes)
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
        hit = torch.rand(previous.shape) < rate
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


class Draws(IterableDataset):
    """Batches without end, of each loader process its own."""

    def __init__(self, clips: tokens.Tokens, size: int) -> None:
        self.clips, self.size = clips, size

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        batches = Batches(self.clips, torch.initial_seed() % 2**31)
        while True:
            yield batches.draw(self.size)


def struck(notes: np.ndarray) -> np.ndarray:
    """Where a note begins, its place told or not."""
    return (notes == 2) | ((notes >= ONSET) & (notes < HISTORY.first))


def sounding(notes: np.ndarray) -> np.ndarray:
    """Where a note begins or is held."""
    return (notes > 0) & (notes < HISTORY.first + HISTORY.held * HISTORY.levels)


def begins_anew(notes: np.ndarray) -> np.ndarray:
    """Frames in which the model is not told its past: what sounds is another thing now.

    They are those in which a note begins or ends, and the one after each onset: an attack takes
    that long. The server does the same (session/notes.py).

    Args:
        notes: [..., frames, 128] values.
    """
    sounds, onset = sounding(notes), struck(notes).any(-1)
    anew = onset.copy()
    anew[..., 1:] |= (sounds[..., 1:, :] != sounds[..., :-1, :]).any(-1) | onset[..., :-1]
    return anew


def pick_frames(notes: Tensor, share: float) -> Tensor:
    """A random share of the frames of notes [crops, frames, 128], as places in crops * frames.

    Frames with an onset decide whether a note is heard at all: they are drawn more often. Those
    after the last note has died away are all alike, but a model that never sees them hums there.
    """
    onset, heard = struck(notes).any(-1), (notes > 0).any(-1)
    weight = SILENT_WEIGHT + (1 - SILENT_WEIGHT) * heard + (ONSET_WEIGHT - 1) * onset
    # Drawn by weight without replacement: Efraimidis and Spirakis, 2006
    key = torch.rand(notes.shape[:2], device=notes.device).log() / weight
    key[:, :WARM_FRAMES] = -torch.inf
    return key.flatten().topk(int(share * key.numel())).indices


def level_losses(
    model: Depthformer, batch: dict[str, Tensor], share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Losses of a random share of the frames.

    Returns:
        Mean cross entropy of each codebook [codebooks]; mean squared errors, 1 for whoever expects
        the average code, of what the depth decoder and the temporal decoder expect to be heard.
    """
    encoded = model.encode(batch["style"], batch["notes"], batch["drums"], batch["guidance"])
    temporal = model.run_temporal(batch["previous"], encoded)
    pick = pick_frames(batch["notes"], share)
    codes = batch["codes"].flatten(0, 1)[pick]
    previous = batch["previous"].flatten(0, 1)[pick]
    picked = temporal.flatten(0, 1)[pick]
    with torch.no_grad():
        guesses = model.nearest_codes(model.expectation(picked))
        guessed = torch.rand(len(pick), 1, device=codes.device) < GUESSED
        teacher = torch.where(guessed, guesses, codes)
    logits = model.run_depth(picked, teacher, previous)
    entropy = torch.stack(
        [torch.nn.functional.cross_entropy(x, codes[:, k]) for k, x in enumerate(logits)]
    )
    chosen = torch.arange(len(logits), device=codes.device)
    true = model.code_values[chosen, batch["codes"][:, WARM_FRAMES:], :-1]
    alone = model.expectation(temporal[:, WARM_FRAMES:]).view(true.shape)
    wanted = model.code_values[chosen, codes, :-1].transpose(0, 1)
    heard = model.heard(logits.softmax(-1))
    return entropy, (heard - wanted).square().mean(), (alone.float() - true).square().mean()


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

    def __init__(self, sizes: Sizes, folder: Path, device: str, name: str = MODEL) -> None:
        self.sizes, self.path, self.device = sizes, folder / name, device
        self.model = Depthformer(sizes)
        codebooks, values = (torch.from_numpy(v).float() for v in tokens.load_values(folder))
        self.model.use_codebooks(codebooks)
        self.model.use_values(values)
        self.model.to(device)
        self.level_losses = torch.compile(level_losses) if device == "cuda" else level_losses
        self.parameters = list(self.model.parameters())
        groups = [
            {"params": list(parameters), "weight_decay": decay, "scale": scale}
            for parameters, decay, scale in self._groups()
        ]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=device == "cuda")
        self.step, self.spent = 0, 0.0
        if self.path.exists():
            saved = torch.load(self.path, weights_only=True, map_location=device)
            self.model.load_state_dict(saved["model"])
            if saved["optimiser"] is not None:  # a run that starts from a bundle has none
                self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.spent = saved["step"], saved["spent"]

    def share(self, workers: int) -> None:
        """Every worker starts from the first one's weights."""
        if workers > 1:
            for value in self.parameters:
                dist.broadcast(value.data, 0)

    def _groups(self) -> list[tuple[list[Tensor], float, float]]:
        """Parameters, weight decay and learning rate scale: the road of the notes learns faster."""
        model = self.model
        fast = [model.note_rows, model.strength_rows, model.strength, model.other_rows]
        fast += [*model.age_rows.values(), model.value_head]
        middle = [
            p
            for layer in self.model.temporal
            for p in layer.cross_attention.body.parameters()
            if p.ndim == 2
        ]
        middle += [model.style_table.weight, model.style_adapter.weight]
        special = {id(p) for p in (*fast, *middle)}
        rest = [p for p in self.parameters if id(p) not in special]
        return [
            (fast, 0.02, 4.0),
            (middle, 0.02, 2.0),
            ([p for p in rest if p.ndim > 1], 0.02, 1.0),
            ([p for p in rest if p.ndim <= 1], 0.0, 1.0),
        ]

    def save(self, slim: bool = False) -> None:
        """`slim`: the weights as float16 and no optimiser, a sixth of the size."""
        part = self.path.with_suffix(".part")
        saved = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        if slim:
            saved["model"] = {
                name: value.half() if value.is_floating_point() else value
                for name, value in saved["model"].items()
            }
            saved["optimiser"] = None
        saved |= {"step": self.step, "spent": self.spent, "sizes": asdict(self.sizes)}
        torch.save(saved, part)
        part.rename(self.path)

    def losses(
        self, batch: dict[str, Tensor], share: float = DEPTH_SHARE, compiled: bool = False
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `level_losses`."""
        batch = {k: v.to(self.device, non_blocking=True).long() for k, v in batch.items()}
        with torch.autocast(self.device, torch.bfloat16):
            return (self.level_losses if compiled else level_losses)(self.model, batch, share)

    def train_step(
        self, batch: dict[str, Tensor], rate: float, share: float, workers: int
    ) -> Tensor:
        """One step; returns each codebook's loss, and the two errors of what is expected."""
        started = time.time()
        losses, heard, alone = self.losses(batch, share, compiled=True)
        weight = torch.linspace(*LEVEL_WEIGHT, len(losses)).to(losses)
        entropy = (losses * weight).mean().div(weight.mean())
        self.descend(entropy + HEARD_WEIGHT * heard + ALONE_WEIGHT * alone, rate, workers)
        self.spent += time.time() - started
        return torch.cat([losses, torch.stack([heard, alone])]).detach()

    def descend(self, loss: Tensor, rate: float, workers: int) -> None:
        """One step of the optimiser, on the mean of all workers' gradients."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        self.optimiser.zero_grad()
        loss.backward()
        self.spent = average_over_workers(self.parameters, self.spent, workers)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.step += 1


def report(run: Run, rate: float, mean: Tensor) -> None:
    shown = " ".join(f"{x:.2f}" for x in mean.tolist())
    print(f"step {run.step} {run.spent:.0f} s rate {rate:.1e} | {shown}", flush=True)


def validate(run: Run, held: Batches) -> None:
    """Appends the loss on held-back clips to RUN/lm.jsonl."""
    with torch.no_grad():
        test = torch.cat([x.reshape(-1) for x in run.losses(held.draw(24))]).tolist()
    record = {"step": run.step, "seconds": round(run.spent), "held": [round(x, 3) for x in test]}
    with run.path.with_suffix(".jsonl").open("a") as log:
        log.write(json.dumps(record) + "\n")
    print("held   " + " ".join(f"{x:.2f}" for x in test), flush=True)


def join(rank: int, args: argparse.Namespace) -> int:
    """Joins the other workers; returns a seed of this one's own."""
    torch.set_num_threads(max(1, (mp.cpu_count() or 1) // args.workers))
    if args.workers > 1:
        rendezvous = f"file://{(args.run / 'rendezvous').resolve()}"
        dist.init_process_group("gloo", rendezvous, rank=rank, world_size=args.workers)
    torch.manual_seed(time.time_ns() % 2**31 + rank)
    return time.time_ns() % 2**31 + rank


def work(rank: int, args: argparse.Namespace) -> None:
    """One worker: all draw their own crops and step together."""
    workers, leads, gpu = args.workers, rank == 0, args.device == "cuda"
    seed = join(rank, args)
    held = Batches(tokens.load(args.run, True), seed)
    clips = tokens.load(args.run, False)
    size = max(1, args.batch // workers)
    drawn = iter(DataLoader(Draws(clips, size), None, num_workers=args.loaders, pin_memory=gpu))
    sizes = Sizes(codebooks=clips.codes.shape[-1])
    run = Run(sizes, args.run, args.device)
    run.share(workers)
    if leads:
        print(f"{len(clips.codes)} clips, from step {run.step}, {run.spent:.0f} s", flush=True)
    mean, saved_at = None, time.time()
    before, started = run.spent, time.time()
    while run.spent < args.seconds:
        left = 1 - run.spent / args.seconds
        rate = PEAK_RATE * min(1, (run.step + 1) / WARM_UP) * min(1.0, 1.5 * left + 0.01)
        share = DEPTH_SHARE if left < 1 - DEPTH_FROM else DEPTH_SHARE_AT_FIRST
        share = GPU_DEPTH_SHARE if gpu else share
        losses = run.train_step(next(drawn), rate, share, workers)
        if gpu:  # steps run behind the clock of `train_step`
            run.spent = before + time.time() - started
        mean = losses if mean is None else mean + (losses - mean) / min(run.step, 100)
        if not leads:
            continue
        if run.step % (200 if gpu else 50) == 0:
            report(run, rate, mean)
        if time.time() - saved_at > SAVE_SECONDS:
            run.save()
            validate(run, held)
            saved_at = time.time()
    if leads:
        run.save(args.slim)
        validate(run, held)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, help="[5400; 600 with a GPU]")
    launch(work, parser.parse_args(), (5400, 600))


def argument_parser(text: str) -> argparse.ArgumentParser:
    """What trainers of language models are told, but for how long."""
    parser = argparse.ArgumentParser(description=text.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--batch", type=int, help=f"crops in a step [{BATCH}; {GPU_BATCH} on a GPU]"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--workers",
        type=int,
        help="on a CPU, processes that share a batch [2]: more robust than threads if it is busy; "
        "with a GPU, processes that draw crops for it [all but two cores]",
    )
    parser.add_argument("--slim", action="store_true", help="save small at the end")
    return parser


def launch(
    worker: Callable[[int, argparse.Namespace], None],
    args: argparse.Namespace,
    seconds: tuple[float, float],
) -> None:
    """Fills in what was not asked for, and runs the workers, each with its number.

    Args:
        seconds: for which a CPU trains, and a GPU.
    """
    if args.device == "auto":
        args.device = "cuda" if torch.cuda.is_available() else "cpu"
    gpu, cores = args.device == "cuda", mp.cpu_count() or 1
    args.seconds = args.seconds or seconds[gpu]
    args.batch = args.batch or (GPU_BATCH if gpu else BATCH)
    args.workers = args.workers or (max(1, cores - 2) if gpu else min(2, cores))
    args.loaders = args.workers if gpu else 0
    args.workers = 1 if gpu else args.workers
    if args.workers == 1:
        worker(0, args)
        return
    (args.run / "rendezvous").unlink(missing_ok=True)
    mp.start_processes(worker, (args,), nprocs=args.workers, start_method="spawn")


if __name__ == "__main__":
    main()
