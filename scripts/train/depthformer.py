# SPDX-License-Identifier: GPL-3.0-or-later
"""The language model in PyTorch, for training: the Magenta RealTime 2 architecture at a small size.

Sizes, channel order, reserved ids and tensor names are those of the official checkpoints (see
docs/model.md), so that one MLX implementation plays both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

RESERVED = 6  # ids 0..5 everywhere; conditioning has one more, "masked"
MASK_OFFSET = 7  # raw value + 7 = row
# Note rows are held divided by this: they stand for one channel in 132 of a mean, must be large to
# be heard through it, and Adam must be able to move them as fast as everything else. With plain
# rows the model learned to repeat itself long before it learned to follow notes.
NOTE_GAIN = 100.0
NOTE_SPREAD = 0.3


@dataclass(frozen=True)
class Sizes:
    """Every size of the model; written to the bundle's JSON on export."""

    style_levels: int = 6
    style_codes: int = 64
    style_embedding_width: int = 128
    onset_phases: int = 4
    encoder_width: int = 256
    codebooks: int = 16
    codebook_size: int = 1024
    width: int = 256
    layers: int = 6
    heads: int = 4
    head_dim: int = 64
    ffn: int = 1024
    past: int = 24
    cross_past: int = 0
    depth_width: int = 192
    depth_layers: int = 2
    depth_heads: int = 3
    depth_ffn: int = 768

    @property
    def note_rows(self) -> int:
        return 4 + self.onset_phases + MASK_OFFSET

    @property
    def vocabulary(self) -> int:
        return RESERVED + self.codebooks * self.codebook_size

    @property
    def regular_rows(self) -> list[int]:
        """Rows of each channel of the regular embedder: notes, drums, guidance."""
        return [self.note_rows] * 128 + [
            2 + MASK_OFFSET,
            41 + RESERVED,
            41 + RESERVED,
            9 + RESERVED,
        ]


class RmsNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return nnf.rms_norm(x.float(), x.shape[-1:], self.scale, 1e-6).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention, per-dim scale, optional sink, causal window of `past` frames."""

    def __init__(self, width: int, source: int, heads: int, dim: int, sink: bool) -> None:
        super().__init__()
        self.heads, self.dim = heads, dim
        self.query = nn.Linear(width, heads * dim, bias=False)
        self.key = nn.Linear(source, heads * dim, bias=False)
        self.value = nn.Linear(source, heads * dim, bias=False)
        self.out = nn.Linear(heads * dim, width, bias=False)
        self.per_dim_scale = nn.Parameter(torch.zeros(dim))
        self.sink_key = nn.Parameter(torch.randn(1, heads, dim) * 0.02) if sink else None
        self.sink_value = nn.Parameter(torch.zeros(1, heads, dim)) if sink else None

    def forward(self, x: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """x [b, t, width], source [b, t, w], mask [t, t] True where visible."""
        b, t, _ = x.shape
        q = self.query(x).view(b, t, self.heads, self.dim).transpose(1, 2)
        k = self.key(source).view(b, t, self.heads, self.dim).transpose(1, 2)
        v = self.value(source).view(b, t, self.heads, self.dim).transpose(1, 2)
        scale = 1.442695041 / math.sqrt(self.dim) * nnf.softplus(self.per_dim_scale)
        if self.sink_key is not None:
            # The sink's logit uses the query as it is: divide its key by the scale instead.
            sink = (self.sink_key[0] / scale).to(k.dtype)
            k = torch.cat([sink[None, :, None].expand(b, -1, -1, -1), k], 2)
            sink = self.sink_value[0].to(v.dtype)
            v = torch.cat([sink[None, :, None].expand(b, -1, -1, -1), v], 2)
            mask = torch.cat([mask.new_ones(t, 1), mask], 1)
        y = nnf.scaled_dot_product_attention(q * scale.to(q.dtype), k, v, mask, scale=1.0)
        return self.out(y.transpose(1, 2).reshape(b, t, -1))


class Branch(nn.Module):
    """x + post(f(pre(x)))."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.pre, self.body, self.post = RmsNorm(width), body, RmsNorm(width)
        nn.init.constant_(self.post.scale, 0.3)  # small residual steps at first


class Layer(nn.Module):
    def __init__(self, width: int, ffn: int, heads: int, dim: int, source: int | None) -> None:
        super().__init__()
        temporal = source is not None
        self.self_attention = Branch(Attention(width, width, heads, dim, temporal), width)
        self.cross_attention = (
            Branch(Attention(width, source, heads, dim, True), width) if temporal else None
        )
        self.ffn = Branch(
            nn.Sequential(
                nn.Linear(width, ffn), nn.GELU(approximate="tanh"), nn.Linear(ffn, width)
            ),
            width,
        )

    def forward(
        self, x: Tensor, mask: Tensor, source: Tensor | None, cross: Tensor | None
    ) -> Tensor:
        block = self.self_attention
        y = block.pre(x)
        x = x + block.post(block.body(y, y, mask))
        if self.cross_attention is not None:
            block = self.cross_attention
            x = x + block.post(block.body(block.pre(x), source, cross))
        return x + self.ffn.post(self.ffn.body(self.ffn.pre(x)))


def window_mask(t: int, past: int) -> Tensor:
    """[t, t] True where column is the row's own frame or one of the `past` frames before it."""
    lag = torch.arange(t)[:, None] - torch.arange(t)[None, :]
    return (lag >= 0) & (lag <= past)


class Depthformer(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.s = s
        self.style_table = nn.Embedding(
            (s.style_codes + MASK_OFFSET) * s.style_levels, s.style_embedding_width
        )
        self.style_adapter = nn.Linear(s.style_embedding_width, s.encoder_width, bias=False)
        rows = sum(s.regular_rows)
        self.regular_table = nn.Embedding(-(-rows // 128) * 128, s.encoder_width)
        self.encoder_norm = nn.LayerNorm(s.encoder_width, eps=1e-6)
        self.embedding = nn.Embedding(s.vocabulary, s.width)
        self.temporal = nn.ModuleList(
            Layer(s.width, s.ffn, s.heads, s.head_dim, s.encoder_width) for _ in range(s.layers)
        )
        self.depth_adapter = nn.Linear(s.width, s.depth_width, bias=False)
        self.depth = nn.ModuleList(
            Layer(s.depth_width, s.depth_ffn, s.depth_heads, s.head_dim, None)
            for _ in range(s.depth_layers)
        )
        self.final_norm = nn.LayerNorm(s.depth_width, eps=1e-6)
        self.to_logits = nn.Linear(s.depth_width, s.vocabulary)
        offsets = torch.tensor([0, *s.regular_rows]).cumsum(0)[:-1]
        self.register_buffer("regular_offsets", offsets)
        gain = torch.ones(self.regular_table.num_embeddings, 1)
        gain[: 128 * s.note_rows] = NOTE_GAIN
        self.register_buffer("regular_gain", gain, persistent=False)
        self.register_buffer(
            "style_offsets", torch.arange(s.style_levels) * (s.style_codes + MASK_OFFSET)
        )
        self.register_buffer("code_offsets", RESERVED + torch.arange(s.codebooks) * s.codebook_size)
        self._initialise()

    def _initialise(self) -> None:
        """Note rows start large: one pitch in 128 must be heard through the mean."""
        s = self.s
        nn.init.normal_(self.style_table.weight, std=0.3)
        nn.init.zeros_(self.regular_table.weight)
        table = self.regular_table.weight.data[: 128 * s.note_rows].view(128, s.note_rows, -1)
        pitch = torch.randn(128, 1, s.encoder_width) * NOTE_SPREAD
        table[:, MASK_OFFSET + 1 :] = (
            pitch + torch.randn(128, s.note_rows - MASK_OFFSET - 1, s.encoder_width) * NOTE_SPREAD
        )
        table[:, MASK_OFFSET - 1] = torch.randn(128, s.encoder_width) * NOTE_SPREAD / 100
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.to_logits.weight, std=0.02)
        nn.init.zeros_(self.to_logits.bias)

    def use_codebooks(self, codebooks: Tensor) -> None:
        """Starts the code embeddings from the codec's own vectors [codebooks, size, latent]."""
        latent = codebooks.shape[-1]
        projection = torch.randn(latent, self.s.width) / math.sqrt(latent)
        spread = codebooks.var(1).sum(0).sum().sqrt()
        rows = (codebooks / spread * math.sqrt(latent)) @ projection
        self.embedding.weight.data[RESERVED:] = (
            rows.flatten(0, 1) * self.s.codebooks / math.sqrt(self.s.width) / 2
        )

    @property
    def regular_rows(self) -> Tensor:
        """The regular embedder's table as the official layout has it."""
        return self.regular_table.weight * self.regular_gain

    def encode(self, style: Tensor, notes: Tensor, drums: Tensor, guidance: Tensor) -> Tensor:
        """Raw conditioning values to [b, t, encoder_width].

        style [b, t, levels], notes [b, t, 128], drums [b, t], guidance [b, t, 3] (bins).
        """
        rows = self.style_table(style + MASK_OFFSET + self.style_offsets).sum(2)
        regular = (
            torch.cat([notes, drums[..., None], guidance], -1) + MASK_OFFSET + self.regular_offsets
        )
        b, t, _channels = regular.shape
        mean = nnf.embedding_bag(regular.flatten(0, 1), self.regular_rows, mode="mean").view(
            b, t, -1
        )
        return self.encoder_norm((self.style_adapter(rows) + mean) / 2)

    def run_temporal(self, previous: Tensor, encoded: Tensor) -> Tensor:
        """previous [b, t, codebooks] unique ids of the frame before each; returns [b, t, width]."""
        b, t, _k = previous.shape
        x = nnf.embedding_bag(previous.flatten(0, 1), self.embedding.weight, mode="mean").view(
            b, t, -1
        )
        x = x * math.sqrt(self.s.width)
        mask, cross = window_mask(t, self.s.past), window_mask(t, self.s.cross_past)
        for layer in self.temporal:
            x = layer(x, mask, encoded, cross)
        return x

    def run_depth(self, temporal: Tensor, codes: Tensor) -> list[Tensor]:
        """temporal [n, width], codes [n, codebooks] raw (the teacher) -> [codebooks, n, size]."""
        k = self.s.codebooks
        taught = self.embedding(codes[:, :-1] + self.code_offsets[:-1]) * math.sqrt(self.s.width)
        x = self.depth_adapter(torch.cat([temporal[:, None], taught.to(temporal.dtype)], 1))
        mask = window_mask(k, k)
        for layer in self.depth:
            x = layer(x, mask, None, None)
        x = self.final_norm(x)
        size = self.s.codebook_size
        weight = self.to_logits.weight[RESERVED:].view(k, size, -1)
        bias = self.to_logits.bias[RESERVED:].view(k, 1, size)
        logits = torch.baddbmm(
            bias.to(x.dtype), x.transpose(0, 1), weight.transpose(1, 2).to(x.dtype)
        )
        return 30 * torch.tanh(logits.float() / 30)
