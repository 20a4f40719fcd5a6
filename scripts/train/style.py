# SPDX-License-Identifier: GPL-3.0-or-later
"""One embedding space for text and audio prompts, trained by contrast.

usage: style.py DATA RUN [--steps N] [--text-only]

Text: hashed character n-grams, averaged by how much each has to say, through a small network.
Audio: statistics of the codec's feature over a few seconds, through another. Both end on the unit
sphere of STYLE_WIDTH values; a residual k-means quantiser turns a point into STYLE_LEVELS codes.
Writes RUN/style.pt.

With --text-only the space stays as RUN/style.pt has it, and only the text's way into it is learned
anew: a language model that was trained on its codes goes on working.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import dataset
import numpy as np
import torch
from captions import sound_caption, typo
from captions import style_caption as caption
from codec import nearest
from sounds import STYLES
from torch import Tensor, nn
from torch.nn import functional as nnf

from bandmate.models.pico.prompt_features import TEXT_BUCKETS, audio_statistics, text_buckets

STYLE_WIDTH = 32
STYLE_LEVELS = 6
STYLE_CODES = 64
HIDDEN, AUDIO_HIDDEN = 128, 256
TEXT_WIDTH = 64
SEGMENT_FRAMES = (50, 250)  # 2 to 10 s
SEGMENTS = 3  # of a clip
KNOWN_SOUNDS = 192
BATCH = 256
HOTTEST = 40.0
# What two segments of a clip, and two clips of a family, have in common beside 1 for the same sound
OWN, FAMILY = 3.0, 0.02
NEARNESS = 4.0  # weight of how far a text's point is from the sounds it asks for


class StyleModel(nn.Module):
    """Text and audio towers, and the quantiser's codebooks [levels, codes, width].

    Attributes:
        sounds: [n, width] points among those of plain sounds; a text's point is moved there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(TEXT_BUCKETS, TEXT_WIDTH, mode="sum")
        self.score = nn.Embedding(TEXT_BUCKETS, 1)
        nn.init.zeros_(self.score.weight)
        self.text = nn.Sequential(
            nn.Linear(TEXT_WIDTH, HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(HIDDEN, STYLE_WIDTH),
        )
        self.audio = nn.Sequential(
            nn.Linear(len(audio_statistics(np.zeros((4, 4, 384), np.float32))), AUDIO_HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(AUDIO_HIDDEN, AUDIO_HIDDEN),
            nn.GELU(approximate="tanh"),
            nn.Linear(AUDIO_HIDDEN, STYLE_WIDTH),
        )
        self.register_buffer("audio_mean", torch.zeros(self.audio[0].in_features))
        self.register_buffer("audio_scale", torch.ones(self.audio[0].in_features))
        self.register_buffer("codebooks", torch.zeros(STYLE_LEVELS, STYLE_CODES, STYLE_WIDTH))
        self.register_buffer("sounds", torch.zeros(KNOWN_SOUNDS, STYLE_WIDTH))
        self.heat = nn.Parameter(torch.tensor(2.0))

    def embed_text(self, texts: list[str]) -> Tensor:
        bags = [text_buckets(t) for t in texts]
        offsets = np.cumsum([0] + [len(b) for b in bags[:-1]])
        flat = torch.from_numpy(np.concatenate(bags).astype(np.int64))
        share = self.score(flat)[:, 0].exp()
        owner = torch.from_numpy(np.repeat(np.arange(len(bags)), [len(b) for b in bags]))
        share = share / torch.zeros(len(bags)).index_add(0, owner, share)[owner]
        pooled = self.table(flat, torch.from_numpy(offsets), per_sample_weights=share)
        return nnf.normalize(self.text(pooled), dim=-1)

    def embed_audio(self, statistics: Tensor) -> Tensor:
        return nnf.normalize(self.audio((statistics - self.audio_mean) * self.audio_scale), dim=-1)

    def quantise(self, x: Tensor) -> Tensor:
        residual, codes = x.clone(), []
        for book in self.codebooks:
            code = nearest(residual, book)
            residual = residual - book[code]
            codes.append(code)
        return torch.stack(codes, -1)


@dataclass
class Sounds:
    """Statistics of segments, and what is known of the clips they are from.

    Attributes:
        statistics: [clips, SEGMENTS, values].
        captions: [clips] text; sounds: [clips] text, the instrument first (see `clips.Clip`).
        families: [clips].
        plain: [clips] 1 for one instrument without effects, less for others: how much such a clip
            says of its sound.
    """

    statistics: Tensor
    captions: np.ndarray
    sounds: np.ndarray
    families: np.ndarray
    plain: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """Instruments, whoever plays them."""
        return np.array([str(s).split(",")[0] for s in self.sounds])


def listen(clips: dataset.Clips, rng: np.random.Generator) -> Sounds:
    """Segments of every clip, as long as a prompt may be; clips that are nearly silent are left."""
    rows, kept = [], []
    for n, clip in enumerate(clips.features):
        pieces = []
        for _ in range(4 * SEGMENTS):
            length = int(rng.integers(*SEGMENT_FRAMES))
            at = int(rng.integers(0, len(clip) - length))
            piece = clip[at : at + length]
            if piece.max() > 0.4 * 255 and len(pieces) < SEGMENTS:
                pieces.append(audio_statistics(piece.astype(np.float32) / 255))
        if len(pieces) == SEGMENTS:
            rows.append(np.stack(pieces))
            kept.append(n)
    captions = clips.captions[kept]
    alone = np.array([" and " not in c for c in captions])
    plain = np.where(alone, 1.0, 0.1) * np.where(clips.effects[kept] == 0, 1.0, 0.4)
    return Sounds(
        torch.from_numpy(np.stack(rows)), captions, clips.sounds[kept], clips.families[kept], plain
    )


def likeness(sounds: Sounds, pick: np.ndarray) -> np.ndarray:
    """How much two clips should sound alike to the space [n, n]: a sound is more than its family.

    A space that has a family in one place makes the language model play the average of it.
    """
    own, family, plain = sounds.sounds[pick], sounds.families[pick], sounds.plain[pick]
    names = sounds.names[pick]
    near = 1.0 * (own[:, None] == own) + 0.5 * (names[:, None] == names)
    out = near * np.sqrt(plain[:, None] * plain) + FAMILY * (family[:, None] == family)
    return out + OWN * np.eye(len(pick))


def named(
    rng: np.random.Generator, sounds: Sounds, pick: np.ndarray, alike: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Words for clips, and how much each clip [texts, clips] is what they ask for.

    Half are the clip's own caption, a quarter name its instrument, a quarter only the family:
    whoever says no more than "piano" means its first instrument.
    """
    texts, target = [], alike.copy()
    names, families = sounds.names[pick], sounds.families[pick]
    for row, clip in enumerate(pick):
        kind, family = rng.random(), int(families[row])
        if kind < 0.5:
            texts.append(_own_caption(rng, str(sounds.captions[clip])))
            continue
        if kind < 0.75:
            texts.append(sound_caption(rng, family, names[row]))
            wanted = names == names[row]
        else:
            texts.append(caption(rng, family))
            wanted = names == STYLES[family].instruments[0]
        plain = sounds.plain[pick]
        target[row] = (wanted * plain + 3 * FAMILY) * (families == family)
    return texts, target


def _own_caption(rng: np.random.Generator, text: str) -> str:
    return typo(rng, text) if rng.random() < 0.2 else text


def _among_others(rng: np.random.Generator, text: str, words: list[str]) -> str:
    """The text among words that say nothing of the sound, as people write."""
    if rng.random() < 0.4:
        return text
    others = [words[n] for n in rng.integers(0, len(words), int(rng.integers(1, 7)))]
    cut = int(rng.integers(len(others) + 1))
    return " ".join([*others[:cut], text, *others[cut:]])


def dictionary() -> list[str]:
    """Plain English words of a Debian package, in lower case.

    Raises:
        SystemExit: it is not installed.
    """
    path = Path("/usr/share/dict/american-english")
    if not path.exists():
        raise SystemExit(f"{path} is missing: apt-get install wamerican")
    words = path.read_text(encoding="utf-8").split()
    known = {w for s in STYLES for text in (s.name, *s.words, *s.instruments) for w in text.split()}
    return [w for w in words if w.isalpha() and w.islower() and len(w) > 2 and w not in known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--text-only", action="store_true", help="keep the space and its codes")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)  # its steps are small: threads that wait for each other cost more
    rng = np.random.default_rng(1)
    sounds = listen(dataset.load(args.data, validation=False), rng)
    words = dictionary()
    statistics = sounds.statistics
    model = StyleModel()
    if args.text_only:
        kept = torch.load(args.run / "style.pt", weights_only=True)
        wanted = ("audio", "codebooks")
        model.load_state_dict({k: v for k, v in kept.items() if k.startswith(wanted)}, strict=False)
        model.audio.requires_grad_(False)
    else:
        model.audio_mean.copy_(statistics.flatten(0, 1).mean(0))
        model.audio_scale.copy_(1 / (statistics.flatten(0, 1).std(0) + 1e-3))
    _, which, counts = np.unique(sounds.sounds, return_inverse=True, return_counts=True)
    weights = counts[which] ** -0.5
    weights /= weights.sum()
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, args.steps)
    for step in range(args.steps):
        pick = rng.choice(len(weights), min(BATCH, len(weights)), p=weights, replace=False)
        alike = likeness(sounds, pick)
        texts, asked = named(rng, sounds, pick, alike)
        text = model.embed_text([_among_others(rng, t, words) for t in texts])
        two = statistics[pick][:, rng.permutation(SEGMENTS)[:2]].transpose(0, 1)
        noise = torch.randn(two.shape) * 0.05
        first, second = model.embed_audio(two + noise / model.audio_scale)
        scale = model.heat.exp().clamp(max=HOTTEST)
        # Contrast alone leaves words and sounds in different places, with the right neighbours: the
        # language model, which knows sounds, was asked for what it had never heard.
        goal = torch.from_numpy(asked / asked.sum(1, keepdims=True)).float() @ (first + second)
        loss = (1 - nnf.cosine_similarity(text, goal.detach(), -1)).mean() * NEARNESS
        for a, b, wanted in (
            (text, first, asked), (first, text, asked.T), (first, second, alike),
            (second, first, alike), (text, text, asked + asked.T),
        ):  # fmt: skip
            target = torch.from_numpy(wanted / wanted.sum(1, keepdims=True)).float()
            loss = loss - (target * nnf.log_softmax(scale * a @ b.T, -1)).sum(1).mean() / 5
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 199:
            print(f"style step {step + 1}, loss {loss.item():.3f}", flush=True)
    if not args.text_only:
        fit_codes(model, statistics.flatten(0, 1), rng)
    fit_sounds(model, sounds)
    report(model, sounds)
    torch.save(model.state_dict(), args.run / "style.pt")


@torch.no_grad()
def fit_codes(model: StyleModel, statistics: Tensor, rng: np.random.Generator) -> None:
    """Residual k-means of the sphere where texts, sounds and blends lie."""
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
            book.copy_(torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], book))
        residual -= book[nearest(residual, book)]
    left = residual.square().sum() / points.square().sum()
    print(f"quantiser leaves {left:.4f}")


def drawn(count: int, places: int) -> Tensor:
    """`count` of so many places, at random; none twice before all are drawn."""
    return torch.randperm(places).repeat(-(-count // places))[:count]


@torch.no_grad()
def fit_sounds(model: StyleModel, sounds: Sounds) -> None:
    """k-means on the sphere of what plain clips of one instrument sound like."""
    points = nnf.normalize(
        model.embed_audio(sounds.statistics[torch.from_numpy(sounds.plain == 1)]).mean(1), dim=-1
    )
    centres = points[drawn(KNOWN_SOUNDS, len(points))].clone()
    for _ in range(20):
        index = (points @ centres.T).argmax(1)
        total = torch.zeros_like(centres).index_add_(0, index, points)
        empty = torch.bincount(index, minlength=KNOWN_SOUNDS) == 0
        total[empty] = points[drawn(int(empty.sum()), len(points))]
        centres = nnf.normalize(total, dim=-1)
    model.sounds.copy_(centres)


@torch.no_grad()
def report(model: StyleModel, sounds: Sounds) -> None:
    """Prints how often a sound's nearest words, and its nearest sound of another clip, are its own.

    And how often an instrument's name alone is nearest to a sound of it, of its family.
    """
    centre = torch.stack(
        [
            nnf.normalize(model.embed_text([s.name, *s.words, *s.instruments]).mean(0), dim=0)
            for s in STYLES
        ]
    )
    audio = model.embed_audio(sounds.statistics[:, 0])
    hit = (audio @ centre.T).argmax(1).numpy() == sounds.families
    print(f"audio nearest to its family's words: {hit.mean():.3f}")
    close = audio @ audio.T - 2 * torch.eye(len(audio))
    close = close.argmax(1).numpy()
    for kind, values in (("sound", sounds.sounds), ("family", sounds.families)):
        same = (values[close] == values)[sounds.plain == 1]
        print(f"nearest other clip is of the same {kind}: {same.mean():.3f}")
    plain = sounds.plain == 1
    names = sorted(set(sounds.names[plain]))
    best = (model.embed_text(names) @ audio[torch.from_numpy(plain)].T).topk(5).indices.numpy()
    right = np.mean(
        [(sounds.names[plain][b] == n).mean() for n, b in zip(names, best, strict=True)]
    )
    print(f"five sounds nearest to an instrument's name are that instrument: {right:.3f}")


if __name__ == "__main__":
    main()
