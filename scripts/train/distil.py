# SPDX-License-Identifier: GPL-3.0-or-later
"""Teaches the language model to play of itself as it plays when its logits are guided.

usage: distil.py RUN [--seconds S] [--device auto|cpu|cuda] [--workers N] [--batch N] [--slim]

Guided logits lean away from what is played without the style, and without the notes: instruments
come out clearer. But they cost two more rows a session in every frame. Here a copy of the model
learns them for nothing (guidance distillation: Meng et al., CVPR 2023). RUN must hold lm.pt and
what prepare.py writes as `unseen`, of music that lm.pt never saw: what it knows by heart needs no
guidance. Writes RUN/guided.pt and goes on from it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import guide
import tokens
import torch
from depthformer import Depthformer, Sizes
from torch import Tensor
from torch.utils.data import DataLoader
from train_lm import (
    ALONE_WEIGHT,
    GUESSED,
    HEARD_WEIGHT,
    LEVEL_WEIGHT,
    MODEL,
    SAVE_SECONDS,
    Batches,
    Draws,
    Run,
    argument_parser,
    join,
    launch,
    pick_frames,
)

GUIDED = "guided.pt"  # in the run's folder
# How far logits are pushed from those without the style, and without the notes. Chosen on 25 texts
# and 12 recordings with three seeds: 0.60 and 0.67 were heard as the right family without, 0.79
# and 0.89 with these; more of either makes sounds flicker.
STYLE_SCALE, NOTES_SCALE = 0.5, 0.6
SHARE = 0.2  # of the frames, in a step
PEAK_RATE, WARM_UP = 1e-4, 50


def expectations(
    model: Depthformer, batch: dict[str, Tensor], rows: int = 1
) -> tuple[Tensor, Tensor]:
    """Temporal states [rows, frames, width] of a batch; with 3 rows of the batch without its
    style and without its notes as well. And their linear expectation, of the same shape but 3rd.
    """
    style, notes = batch["style"], batch["notes"]
    if rows == 3:
        nothing = torch.full_like(style, -1), torch.full_like(notes, -1)
        style, notes = torch.cat([style, nothing[0], style]), torch.cat([notes, notes, nothing[1]])
    drums, guidance, previous = (
        batch[name].repeat(rows, *(1,) * (batch[name].ndim - 1))
        for name in ("drums", "guidance", "previous")
    )
    encoded = model.encode(style, notes, drums, guidance)
    temporal = model.run_temporal(previous, encoded).unflatten(0, (rows, -1)).flatten(1, 2)
    return temporal, model.expectation(temporal)


def pushed(values: Tensor, trusted: Tensor) -> Tensor:
    """What is guided [..., frames, n] of rows [..., 3, frames, n]: full, no style, no notes.

    Args:
        trusted: [frames, 1], 0 (not guided at all) to 1.
    """
    full, no_style, no_notes = values.float().unbind(-3)
    away = STYLE_SCALE * (full - no_style) + NOTES_SCALE * (full - no_notes)
    return full + trusted * away


def losses(
    student: Depthformer, teacher: Depthformer, batch: dict[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """How far the student is from its guided teacher.

    Returns:
        Divergence of each codebook [codebooks]; mean squared differences of what the depth decoder
        and the temporal decoder expect to be heard.
    """
    frames = pick_frames(batch["notes"], SHARE)
    codes, previous = (batch[name].flatten(0, 1)[frames] for name in ("codes", "previous"))
    # A player who turns guidance down wants less of it, not more.
    bins = torch.from_numpy(guide.TRUSTED_BINS).to(batch["guidance"])
    trusted = (batch["guidance"] / bins)[..., :2].amin(-1).clamp(max=1).flatten()[frames, None]
    with torch.no_grad():
        states, alone = expectations(teacher, batch, 3)
        alone_wanted = pushed(alone[:, frames], trusted)
        guesses = teacher.nearest_codes(alone_wanted)
        guessed = torch.rand(len(frames), 1, device=codes.device) < GUESSED
        told = torch.where(guessed, guesses, codes)
        rows = states[:, frames].flatten(0, 1)
        logits = teacher.run_depth(rows, told.repeat(3, 1), previous.repeat(3, 1))
        wanted = pushed(logits.unflatten(1, (3, -1)), trusted).log_softmax(-1)
        heard_wanted = teacher.heard(wanted.exp())
    states, alone = expectations(student, batch)
    given = student.run_depth(states[0, frames], told, previous).log_softmax(-1)
    divergence = (wanted.exp() * (wanted - given)).sum(-1).mean(-1)
    heard = (student.heard(given.exp()) - heard_wanted).square().mean()
    return divergence, heard, (alone[0, frames].float() - alone_wanted).square().mean()


def work(rank: int, args: argparse.Namespace) -> None:
    """One worker: all draw their own crops and step together."""
    workers, leads, gpu = args.workers, rank == 0, args.device == "cuda"
    seed = join(rank, args)
    clips = tokens.load(args.run, False, tokens.UNSEEN)
    held = Batches(tokens.load(args.run, True, tokens.UNSEEN), seed)
    size = max(1, args.batch // workers)
    drawn = iter(DataLoader(Draws(clips, size), None, num_workers=args.loaders, pin_memory=gpu))
    sizes = Sizes(codebooks=clips.codes.shape[-1])
    teacher, run = (Run(sizes, args.run, args.device, name) for name in (MODEL, GUIDED))
    teacher.model.requires_grad_(False)
    if not run.path.exists():
        run.model.load_state_dict(teacher.model.state_dict())
    run.share(workers)
    step_losses = torch.compile(losses) if gpu else losses

    def distances(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        batch = {k: v.to(args.device, non_blocking=True).long() for k, v in batch.items()}
        with torch.autocast(args.device, torch.bfloat16):
            return step_losses(run.model, teacher.model, batch)

    def say(name: str, shown: tuple[Tensor, Tensor, Tensor]) -> None:
        divergence, heard, alone = (float(x.detach().mean()) for x in shown)
        print(
            f"{name} step {run.step} {run.spent:.0f} s | {divergence:.3f} {heard:.4f} {alone:.4f}",
            flush=True,
        )

    saved_at, mean = time.time(), None
    weight = torch.linspace(*LEVEL_WEIGHT, sizes.codebooks, device=args.device)
    while run.spent < args.seconds:
        started = time.time()
        left = 1 - run.spent / args.seconds
        divergence, heard, alone = distances(next(drawn))
        rate = PEAK_RATE * min(1, (run.step + 1) / WARM_UP) * min(1.0, 1.5 * left + 0.01)
        loss = (divergence * weight).mean() / weight.mean()
        run.descend(loss + HEARD_WEIGHT * heard + ALONE_WEIGHT * alone, rate, workers)
        run.spent += time.time() - started
        now = torch.stack([divergence.mean(), heard, alone]).detach()
        mean = now if mean is None else mean + (now - mean) / min(run.step, 30)
        if leads and run.step % 20 == 1:
            say("taught", mean.unbind())
        if leads and time.time() - saved_at > SAVE_SECONDS:
            run.save()
            with torch.no_grad():
                say("held  ", distances(held.draw(24)))
            saved_at = time.time()
    if leads:
        run.save(args.slim)
        with torch.no_grad():
            say("held  ", distances(held.draw(24)))


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, help="[2400; 90 with a GPU]")
    args = parser.parse_args()
    if not Path(args.run, MODEL).exists():
        raise SystemExit(f"{args.run} holds no {MODEL}; run train_lm.py first.")
    launch(work, args, (2400, 90))


if __name__ == "__main__":
    main()
