# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a run from a bundle, so that training goes on from it, also with new inputs or codes.

usage: warm_start.py BUNDLE_DIR RUN

Writes RUN/{codec,style,lm}.pt. What the bundle does not have yet (velocities, pan and width, the
depth decoder's view of the past) starts where it changes nothing. Fit pan and width afterwards:
fit_codec.py DATA RUN --stereo-only.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from codec import GROUPS, Codec, code_order
from depthformer import NOTE_GAIN, PLAIN_NOTE_ROWS, SILENT, SUSTAINED, Depthformer, Sizes
from export import language_model, style_tensors
from safetensors.torch import load_file
from style import StyleModel
from torch import Tensor

PREFIX = "params/depthformer/"
REGULAR = "encoder/body/layers_1/branched_regular_embedder/regular_embedder/embedding"


def codec_of(tensors: dict[str, Tensor]) -> Codec:
    codec = Codec()
    for number in range(len(GROUPS)):
        getattr(codec.basis, f"mean_{number}").copy_(tensors[f"basis.{number}.mean"])
        getattr(codec.basis, f"vectors_{number}").copy_(tensors[f"basis.{number}.vectors"])
    starts = [sum(g[2] for g in GROUPS[:n]) for n in range(len(GROUPS))]
    for book, (group, _) in enumerate(code_order()):
        values = tensors[f"codebooks.{book}"]
        codec.quantiser.codebooks[book, :, starts[group] : starts[group] + values.shape[1]] = values
    for book in range(len(codec.stereo)):
        if (name := f"stereo.{book}") in tensors:
            codec.stereo[book] = tensors[name]
    return codec


def style_of(tensors: dict[str, Tensor]) -> StyleModel:
    model = StyleModel()
    for name, value in style_tensors(model, views=True).items():
        value.data.copy_(tensors[name])
    return model


def fill(model: Depthformer, tensors: dict[str, Tensor]) -> None:
    """Puts a checkpoint's tensors into the model's own, wherever both have them."""
    views = language_model(model, views=True)
    for name, target in views.items():
        value = tensors.get(name)
        if name.endswith(REGULAR) or value is None:
            continue
        common = tuple(slice(min(a, b)) for a, b in zip(target.shape, value.shape, strict=True))
        target.data[common] = value[common].float()
    fill_notes(model, tensors[PREFIX + REGULAR].float())


def fill_notes(model: Depthformer, table: Tensor) -> None:
    """Rows of notes without strengths, or with as many as the model has."""
    s = model.s
    others = sum(s.regular_rows[128:])
    shapes = [(1, 0), (s.velocity_levels, 0), (s.velocity_levels, s.history.count)]
    for strengths, aged in shapes:
        note_rows = PLAIN_NOTE_ROWS + s.onset_phases * strengths + aged
        if -(-(128 * note_rows + others) // 128) * 128 == len(table):
            break
    else:
        raise SystemExit("The bundle's notes have other phases than this model's.")
    notes = table[: 128 * note_rows].view(128, note_rows, -1) / NOTE_GAIN
    model.note_rows.data[:, :PLAIN_NOTE_ROWS] = notes[:, :PLAIN_NOTE_ROWS]
    end = PLAIN_NOTE_ROWS + s.onset_phases * strengths
    onsets = notes[:, PLAIN_NOTE_ROWS:end].unflatten(1, (strengths, s.onset_phases))
    model.note_rows.data[:, PLAIN_NOTE_ROWS:] = onsets.mean(1)
    if strengths > 1:
        model.strength_rows.data.copy_((onsets - onsets.mean(1, keepdim=True)).mean(2))
    if aged:
        fill_ages(model, notes[:, end:])
    count = min(len(model.other_rows), len(table) - 128 * note_rows)
    model.other_rows.data[:count] = table[128 * note_rows :][:count]


def fill_ages(model: Depthformer, rows: Tensor) -> None:
    """Takes rows [128, values, width] of notes after their onset apart into their summands."""
    s = model.s
    held = s.held_ages * s.history_levels
    for kind, part, like in (
        ("held", rows[:, :held], SUSTAINED),
        ("released", rows[:, held:], SILENT),
    ):
        own = part.unflatten(1, (s.history_levels, -1)) - model.note_rows[:, like, None, None]
        ages = own.mean(1)
        model.age_rows[kind].data.copy_(ages.mean(0))
        model.age_rows[kind + "_pitch"].data.copy_(ages - ages.mean(0))
        strengths = (own - ages[:, None]).mean(2)
        model.age_rows[kind + "_level"].data.copy_(strengths.mean(0))
        model.age_rows[kind + "_strength"].data.copy_(strengths - strengths.mean(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("run", type=Path)
    args = parser.parse_args()
    args.run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    with torch.no_grad():
        codec = codec_of(load_file(args.bundle / "codec.safetensors"))
        style = style_of(load_file(args.bundle / "style.safetensors"))
        sizes = Sizes()
        model = Depthformer(sizes)
        model.use_values(codec.code_values(sizes.code_dims))
        fill(model, load_file(args.bundle / "model.safetensors"))
    torch.save(codec.state_dict(), args.run / "codec.pt")
    torch.save(style.state_dict(), args.run / "style.pt")
    saved = {"model": model.state_dict(), "optimiser": None, "step": 0, "spent": 0.0}
    torch.save(saved | {"sizes": asdict(sizes)}, args.run / "lm.pt")


if __name__ == "__main__":
    main()
