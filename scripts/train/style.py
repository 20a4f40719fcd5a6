# SPDX-License-Identifier: GPL-3.0-or-later
"""One embedding space for text and audio prompts, trained by contrast.

usage: style.py DATA RUN [--steps N]

Text: hashed character n-grams, averaged, through a small network. Audio: statistics of the codec's
feature over a few seconds, through another. Both end on the unit sphere of STYLE_WIDTH values; a
residual k-means quantiser turns a point into STYLE_LEVELS codes. Writes RUN/style.pt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dataset
import numpy as np
import torch
from codec import nearest
from sounds import ADJECTIVES, STYLES, TEMPLATES
from torch import Tensor, nn
from torch.nn import functional as nnf

from bandmate.models.pico.prompt_features import TEXT_BUCKETS, audio_statistics, text_buckets

STYLE_WIDTH = 32
STYLE_LEVELS = 6
STYLE_CODES = 64
HIDDEN = 128
TEXT_WIDTH = 64
SEGMENT_FRAMES = 128


def caption(rng: np.random.Generator, style: int) -> str:
    """A way to ask for a style, with a typo now and then."""
    s = STYLES[style]
    words = (s.name, *s.words)
    text = str(rng.choice(TEMPLATES)).format(
        w=rng.choice(words), a=rng.choice(ADJECTIVES), b=rng.choice(ADJECTIVES)
    )
    if rng.random() < 0.25 and len(text) > 4:
        at = int(rng.integers(1, len(text) - 2))
        kind = rng.integers(3)
        if kind == 0:
            text = text[:at] + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        else:
            text = text[:at] + chr(97 + int(rng.integers(26))) + text[at:]
    return text


class StyleModel(nn.Module):
    """Text and audio towers and the quantiser's codebooks [levels, codes, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(TEXT_BUCKETS, TEXT_WIDTH, mode="mean")
        self.text = nn.Sequential(
            nn.Linear(TEXT_WIDTH, HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(HIDDEN, STYLE_WIDTH),
        )
        self.audio = nn.Sequential(
            nn.Linear(len(audio_statistics(np.zeros((4, 4, 384), np.float32))), HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(HIDDEN, HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(HIDDEN, STYLE_WIDTH),
        )
        self.register_buffer("audio_mean", torch.zeros(self.audio[0].in_features))
        self.register_buffer("audio_scale", torch.ones(self.audio[0].in_features))
        self.register_buffer("codebooks", torch.zeros(STYLE_LEVELS, STYLE_CODES, STYLE_WIDTH))
        self.heat = nn.Parameter(torch.tensor(2.0))

    def embed_text(self, texts: list[str]) -> Tensor:
        bags = [text_buckets(t) for t in texts]
        offsets = np.cumsum([0] + [len(b) for b in bags[:-1]])
        flat = torch.from_numpy(np.concatenate(bags).astype(np.int64))
        return nnf.normalize(self.text(self.table(flat, torch.from_numpy(offsets))), dim=-1)

    def embed_audio(self, statistics: Tensor) -> Tensor:
        return nnf.normalize(self.audio((statistics - self.audio_mean) * self.audio_scale), dim=-1)

    def quantise(self, x: Tensor) -> Tensor:
        residual, codes = x.clone(), []
        for book in self.codebooks:
            code = nearest(residual, book)
            residual = residual - book[code]
            codes.append(code)
        return torch.stack(codes, -1)


def segments(clips: dataset.Clips, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Statistics of segments with sound in them, and their clip numbers."""
    rows, owners = [], []
    for n, clip in enumerate(clips.features):
        for _ in range(3):
            at = int(rng.integers(0, len(clip) - SEGMENT_FRAMES))
            piece = clip[at : at + int(rng.integers(50, SEGMENT_FRAMES))].astype(np.float32) / 255
            if piece.max() > 0.4:
                rows.append(audio_statistics(piece))
                owners.append(n)
    return torch.from_numpy(np.stack(rows)), np.array(owners)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    args = parser.parse_args()
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    clips = dataset.load(args.data, validation=False)
    statistics, owners = segments(clips, rng)
    labels = clips.styles[owners]
    model = StyleModel()
    model.audio_mean.copy_(statistics.mean(0))
    model.audio_scale.copy_(1 / (statistics.std(0) + 1e-3))
    weights = 1 / np.bincount(labels, minlength=len(STYLES)).clip(1)[labels]
    weights /= weights.sum()
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, args.steps)
    for step in range(args.steps):
        pick = rng.choice(len(labels), 96, p=weights)
        kind = labels[pick]
        noise = torch.randn(96, statistics.shape[1]) * 0.1
        audio = model.embed_audio(statistics[pick] + noise / model.audio_scale)
        text = model.embed_text([caption(rng, s) for s in kind])
        same = torch.from_numpy(kind[:, None] == kind[None, :]).float()
        target = same / same.sum(1, keepdim=True)
        scale = model.heat.exp().clamp(max=30)
        loss = torch.zeros(())
        for a, b in ((text, audio), (audio, text), (text, text), (audio, audio)):
            loss = loss - (target * nnf.log_softmax(scale * a @ b.T, -1)).sum(1).mean() / 4
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 199:
            print(f"style step {step + 1}, loss {loss.item():.3f}", flush=True)
    with torch.no_grad():
        texts = [caption(rng, s % len(STYLES)) for s in range(4000)]
        points = torch.cat([model.embed_text(texts), model.embed_audio(statistics)])
        other = points[torch.randperm(len(points))]
        mix = torch.rand(len(points), 1)
        points = torch.cat([points, mix * points + (1 - mix) * other])  # blends must have codes too
        residual = points.clone()
        for book in model.codebooks:
            book.copy_(residual[torch.randperm(len(residual))[:STYLE_CODES]])
            for _ in range(15):
                index = nearest(residual, book)
                count = torch.bincount(index, minlength=STYLE_CODES).float()
                total = torch.zeros_like(book).index_add_(0, index, residual)
                book.copy_(
                    torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], book)
                )
            residual -= book[nearest(residual, book)]
        left = residual.square().sum() / points.square().sum()
        centre = torch.stack(
            [
                nnf.normalize(model.embed_text([STYLES[s].name, *STYLES[s].words]).mean(0), dim=0)
                for s in range(len(STYLES))
            ]
        )
        hit = (model.embed_audio(statistics) @ centre.T).argmax(1).numpy() == labels
        print(f"quantiser leaves {left:.4f}; audio nearest to its own words: {hit.mean():.3f}")
    torch.save(model.state_dict(), args.run / "style.pt")


if __name__ == "__main__":
    main()
