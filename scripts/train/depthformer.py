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

from bandmate.models.note_history import NoteHistory

RESERVED = 6  # ids 0..5 everywhere; conditioning has one more, "masked"
MASK_OFFSET = 7  # raw value + 7 = row
# Note rows are held divided by this: they stand for one channel in 132 of a mean, must be large to
# be heard through it, and Adam must be able to move them as fast as everything else. With plain
# rows the model learned to repeat itself long before it learned to follow notes.
NOTE_GAIN = 100.0
NOTE_SPREAD = 0.3
SILENT, SUSTAINED = MASK_OFFSET, MASK_OFFSET + 1
PLAIN_NOTE_ROWS = 4 + MASK_OFFSET  # of a pitch: reserved, masked, and values without phase


@dataclass(frozen=True)
class Sizes:
    """Every size of the model; written to the bundle's JSON on export."""

    style_levels: int = 6
    style_codes: int = 64
    style_embedding_width: int = 128
    onset_phases: int = 8
    velocity_levels: int = 8
    held_ages: int = 16
    released_ages: int = 10
    history_levels: int = 4
    encoder_width: int = 256
    codebooks: int = 24
    codebook_size: int = 1024
    width: int = 256
    layers: int = 6
    heads: int = 4
    head_dim: int = 64
    ffn: int = 2048
    past: int = 24
    cross_past: int = 0
    depth_width: int = 192
    depth_layers: int = 2
    depth_heads: int = 3
    depth_ffn: int = 768
    code_dims: int = 20

    @property
    def note_rows(self) -> int:
        return PLAIN_NOTE_ROWS + self.onset_phases * self.velocity_levels + self.history.count

    @property
    def history(self) -> NoteHistory:
        """What is told of a note after its onset."""
        first = PLAIN_NOTE_ROWS - MASK_OFFSET + self.onset_phases * self.velocity_levels
        return NoteHistory(first, self.held_ages, self.released_ages, self.history_levels)

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


def window_mask(t: int, past: int, device: torch.device) -> Tensor:
    """[t, t] True where column is the row's own frame or one of the `past` frames before it."""
    at = torch.arange(t, device=device)
    lag = at[:, None] - at[None, :]
    return (lag >= 0) & (lag <= past)


class Depthformer(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.s = s
        self.style_table = nn.Embedding(
            (s.style_codes + MASK_OFFSET) * s.style_levels, s.style_embedding_width
        )
        self.style_adapter = nn.Linear(s.style_embedding_width, s.encoder_width, bias=False)
        # A note's row is a sum, so that few examples teach it: what begins when, and how hard.
        self.note_rows = nn.Parameter(
            torch.zeros(128, PLAIN_NOTE_ROWS + s.onset_phases, s.encoder_width)
        )
        self.strength_rows = nn.Parameter(torch.zeros(128, s.velocity_levels, s.encoder_width))
        self.strength = nn.Parameter(torch.zeros(s.velocity_levels, s.encoder_width))
        # After its onset: how long ago, of any pitch and of this one, and how hard it was struck.
        self.age_rows = nn.ParameterDict()
        for kind, ages in (("held", s.held_ages), ("released", s.released_ages)):
            self.age_rows[kind] = nn.Parameter(torch.zeros(ages, s.encoder_width))
            self.age_rows[kind + "_pitch"] = nn.Parameter(torch.zeros(128, ages, s.encoder_width))
            strengths = torch.zeros(128, s.history_levels, s.encoder_width)
            self.age_rows[kind + "_strength"] = nn.Parameter(strengths)
            self.age_rows[kind + "_level"] = nn.Parameter(
                torch.zeros(s.history_levels, s.encoder_width)
            )
        rows = sum(s.regular_rows)
        others = -(-rows // 128) * 128 - 128 * s.note_rows
        self.other_rows = nn.Parameter(torch.zeros(others, s.encoder_width))
        self.encoder_norm = nn.LayerNorm(s.encoder_width, eps=1e-6)
        self.embedding = nn.Embedding(s.vocabulary, s.width)
        self.temporal = nn.ModuleList(
            Layer(s.width, s.ffn, s.heads, s.head_dim, s.encoder_width) for _ in range(s.layers)
        )
        self.depth_adapter = nn.Linear(s.width, s.depth_width, bias=False)
        self.depth_past_adapter = nn.Linear(s.width, s.depth_width, bias=False)
        self.depth = nn.ModuleList(
            Layer(s.depth_width, s.depth_ffn, s.depth_heads, s.head_dim, None)
            for _ in range(s.depth_layers)
        )
        self.final_norm = nn.LayerNorm(s.depth_width, eps=1e-6)
        self.to_logits = nn.Linear(s.depth_width, s.vocabulary)
        # What the codes stand for, scaled, and the square of that. Logits that are a function of it
        # need not learn from examples which codes sound alike.
        self.register_buffer(
            "code_values", torch.zeros(s.codebooks, s.codebook_size, s.code_dims + 1)
        )
        self.value_head = nn.Parameter(torch.zeros(s.codebooks, s.code_dims + 1, s.depth_width))
        # In training only: what the temporal decoder alone expects of each codebook.
        self.expectation = nn.Linear(s.width, s.codebooks * s.code_dims)
        offsets = torch.tensor([0, *s.regular_rows]).cumsum(0)[:-1]
        self.register_buffer("regular_offsets", offsets)
        self.register_buffer(
            "style_offsets", torch.arange(s.style_levels) * (s.style_codes + MASK_OFFSET)
        )
        self.register_buffer("code_offsets", RESERVED + torch.arange(s.codebooks) * s.codebook_size)
        self._initialise()

    def _initialise(self) -> None:
        """Note rows start large: one pitch in 128 must be heard through the mean."""
        s = self.s
        nn.init.normal_(self.style_table.weight, std=0.3)
        width = s.encoder_width
        pitch = torch.randn(128, 1, width) * NOTE_SPREAD
        told = s.onset_phases + 3  # sounding, onset, either, and onsets with a phase
        self.note_rows.data[:, MASK_OFFSET + 1 :] = (
            pitch + torch.randn(128, told, width) * NOTE_SPREAD
        )
        self.note_rows.data[:, MASK_OFFSET - 1] = torch.randn(128, width) * NOTE_SPREAD / 100
        nn.init.zeros_(self.depth_past_adapter.weight)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.to_logits.weight, std=0.02)
        nn.init.zeros_(self.to_logits.bias)

    def use_codebooks(self, codebooks: Tensor) -> None:
        """Starts the code embeddings from the codec's own vectors [books, size, latent].

        Codes past those `books` start at random.
        """
        latent = codebooks.shape[-1]
        projection = torch.randn(latent, self.s.width) / math.sqrt(latent)
        spread = codebooks.var(1).sum(0).sum().sqrt()
        rows = (codebooks / spread * math.sqrt(latent)) @ projection
        rows = rows.flatten(0, 1) * self.s.codebooks / math.sqrt(self.s.width) / 2
        self.embedding.weight.data[RESERVED : RESERVED + len(rows)] = rows

    def use_values(self, values: Tensor) -> None:
        """Tells what codes stand for [codebooks, codebook_size, code_dims]."""
        centred = values - values.mean(1, keepdim=True)
        scaled = centred / centred.square().sum(-1).mean(1)[:, None, None].sqrt()
        square = scaled.square().sum(-1, keepdim=True)
        scaled = scaled * math.sqrt(self.s.code_dims)
        self.code_values.copy_(torch.cat([scaled, square - 1], -1))

    def heard(self, weights: Tensor) -> Tensor:
        """What weights [codebooks, n, size] of codes stand for, [codebooks, n, code_dims]."""
        return weights @ self.code_values[..., :-1]

    def nearest_codes(self, expected: Tensor) -> Tensor:
        """Codes [n, codebooks] nearest to what is expected [n, codebooks * code_dims]."""
        values = self.code_values[..., :-1]
        point = expected.float().unflatten(-1, values.shape[::2]).transpose(0, 1)
        half_norm = values.square().sum(-1)[:, None] / 2
        with torch.autocast(expected.device.type, enabled=False):
            return (point @ values.transpose(1, 2) - half_norm).argmax(-1).T

    @property
    def logit_rows(self) -> Tensor:
        """The weights of the logits as the official layout has them."""
        rows = (self.code_values @ self.value_head).flatten(0, 1)
        return self.to_logits.weight + torch.cat([rows.new_zeros(RESERVED, rows.shape[1]), rows])

    @property
    def regular_rows(self) -> Tensor:
        """The regular embedder's table as the official layout has it."""
        plain, phases = self.note_rows.split([PLAIN_NOTE_ROWS, self.s.onset_phases], 1)
        strength = self.strength_rows + self.strength
        onsets = (strength[:, :, None] + phases[:, None]).flatten(1, 2)
        held, released = self._aged("held", SUSTAINED), self._aged("released", SILENT)
        notes = torch.cat([plain, onsets, held, released], 1).flatten(0, 1) * NOTE_GAIN
        return torch.cat([notes, self.other_rows])

    def _aged(self, kind: str, like: int) -> Tensor:
        """Rows [128, levels * ages, width] of a note after its onset, from the row without age."""
        rows = self.age_rows
        base = self.note_rows[:, like, None] + rows[kind] + rows[kind + "_pitch"]
        strength = rows[kind + "_strength"] + rows[kind + "_level"]
        return (base[:, None] + strength[:, :, None]).flatten(1, 2)

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
        mask = window_mask(t, self.s.past, x.device)
        cross = window_mask(t, self.s.cross_past, x.device)
        for layer in self.temporal:
            x = layer(x, mask, encoded, cross)
        return x

    def run_depth(self, temporal: Tensor, codes: Tensor, previous: Tensor) -> Tensor:
        """Logits [codebooks, n, size] of the codes of n frames.

        Args:
            temporal: [n, width].
            codes: [n, codebooks] raw, the teacher.
            previous: [n, codebooks] unique ids of the frame before each.
        """
        k = self.s.codebooks
        factor = math.sqrt(self.s.width)
        taught = self.embedding(codes[:, :-1] + self.code_offsets[:-1]) * factor
        x = self.depth_adapter(torch.cat([temporal[:, None], taught.to(temporal.dtype)], 1))
        x = x + self.depth_past_adapter(self.embedding(previous).to(temporal.dtype) * factor)
        mask = window_mask(k, k, x.device)
        for layer in self.depth:
            x = layer(x, mask, None, None)
        x = self.final_norm(x)
        size = self.s.codebook_size
        weight = self.logit_rows[RESERVED:].view(k, size, -1)
        bias = self.to_logits.bias[RESERVED:].view(k, 1, size)
        logits = torch.baddbmm(
            bias.to(x.dtype), x.transpose(0, 1), weight.transpose(1, 2).to(x.dtype)
        )
        return 30 * torch.tanh(logits.float() / 30)
