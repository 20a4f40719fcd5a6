# SPDX-License-Identifier: GPL-3.0-or-later
"""The magnitude codec in PyTorch: band PCA, residual vector quantiser, post-net."""

from __future__ import annotations

import numpy as np
import torch
from features import BANDS, HOPS_PER_FRAME
from torch import Tensor, nn
from torch.nn import functional as nnf

# Band groups (first band, end), PCA values and code levels of each. Low bands hold the
# fundamentals of chords and get most of the bits.
GROUPS = ((0, 30, 40, 7), (30, 98, 48, 5), (98, BANDS, 48, 4))
CODE_SIZE = 1024
LATENT = sum(g[2] for g in GROUPS)
CODEBOOKS = sum(g[3] for g in GROUPS)
HOLD = 0.7  # of the last frame's error that the next one is asked to keep
POST_WIDTH, POST_HIDDEN, POST_BLOCKS, POST_KERNEL = 384, 1024, 3, 5


def code_order() -> list[tuple[int, int]]:
    """(group, level) of each code in a frame: coarse levels of all groups first."""
    keyed = [
        ((lv + 0.5) / g[3] if lv else 0, n, lv) for n, g in enumerate(GROUPS) for lv in range(g[3])
    ]
    return [(n, lv) for _, n, lv in sorted(keyed)]


def unit(features: np.ndarray) -> Tensor:
    """uint8 features [..., hops, bands] to 0..1."""
    return torch.from_numpy(features).float() / 255


class Basis(nn.Module):
    """Orthogonal PCA of each band group over a frame's hops: [.., 4, 384] <-> [.., LATENT]."""

    def __init__(self) -> None:
        super().__init__()
        for n, (first, end, values, _) in enumerate(GROUPS):
            size = (end - first) * HOPS_PER_FRAME
            self.register_buffer(f"mean_{n}", torch.zeros(size))
            self.register_buffer(f"vectors_{n}", torch.zeros(size, values))

    def fit(self, x: Tensor) -> None:
        """x: [frames, hops, bands]."""
        for n, (first, end, values, _) in enumerate(GROUPS):
            part = x[..., first:end].flatten(-2)
            mean = part.mean(0)
            centred = part - mean
            _, vectors = torch.linalg.eigh(centred.T @ centred)
            getattr(self, f"mean_{n}").copy_(mean)
            getattr(self, f"vectors_{n}").copy_(vectors.flip(1)[:, :values])

    def encode(self, x: Tensor) -> Tensor:
        parts = [
            (x[..., f:e].flatten(-2) - getattr(self, f"mean_{n}")) @ getattr(self, f"vectors_{n}")
            for n, (f, e, _, _) in enumerate(GROUPS)
        ]
        return torch.cat(parts, -1)

    def decode(self, z: Tensor) -> Tensor:
        parts = []
        for n, piece in enumerate(z.split([g[2] for g in GROUPS], -1)):
            flat = piece @ getattr(self, f"vectors_{n}").T + getattr(self, f"mean_{n}")
            parts.append(flat.unflatten(-1, (HOPS_PER_FRAME, -1)))
        return torch.cat(parts, -1)


class Quantiser(nn.Module):
    """Residual vector quantiser per group; codebooks [CODEBOOKS, 1024, LATENT], zero outside
    the group, in the order of `code_order`, so that decoding is a plain sum."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codebooks", torch.zeros(CODEBOOKS, CODE_SIZE, LATENT))

    def encode(self, z: Tensor) -> Tensor:
        """z [n, LATENT] to codes [n, CODEBOOKS] int64, greedily level by level."""
        residual, codes = z.clone(), []
        ends = np.cumsum([0] + [g[2] for g in GROUPS])
        for book, (group, _) in enumerate(code_order()):
            span = slice(ends[group], ends[group + 1])
            centres = self.codebooks[book, :, span]
            code = nearest(residual[:, span], centres)
            residual[:, span] -= centres[code]
            codes.append(code)
        return torch.stack(codes, -1)

    def encode_steady(self, z: Tensor, hold: float = HOLD) -> Tensor:
        """Codes of streams, chosen so that the error stays put instead of flickering.

        Quantising each frame by itself makes a steady chord flicker between neighbouring codes,
        which the ear hears as new onsets. Here a frame's target is moved by `hold` of the last
        frame's error, and for each group the codes of the last frame compete, kept as a whole or
        down to some level: a steady sound keeps its codes.

        Args:
            z: [streams, frames, LATENT].
            hold: 0 (each frame by itself) to 1.

        Returns:
            codes [streams, frames, CODEBOOKS] int16.
        """
        order, ends = code_order(), np.cumsum([0] + [g[2] for g in GROUPS])
        out = torch.empty(*z.shape[:2], CODEBOOKS, dtype=torch.int16)
        for group, (_, _, _, levels) in enumerate(GROUPS):
            books = [b for b, (g, _) in enumerate(order) if g == group]
            span = slice(ends[group], ends[group + 1])
            centres = [self.codebooks[b, :, span].contiguous() for b in books]
            x, error, last = z[..., span], torch.zeros(len(z), ends[group + 1] - ends[group]), None
            for t in range(z.shape[1]):
                target = x[:, t] - hold * error
                best = None
                for keep in sorted({0, levels // 2 + 1, levels}) if last is not None else [0]:
                    residual, codes = target.clone(), []
                    for level, centre in enumerate(centres):
                        code = last[:, level] if level < keep else nearest(residual, centre)
                        residual = residual - centre[code]
                        codes.append(code)
                    codes, cost = torch.stack(codes, -1), residual.square().sum(1)
                    if best is None:
                        best = (codes, cost, residual)
                    else:
                        better = cost < best[1]
                        best = (
                            torch.where(better[:, None], codes, best[0]),
                            torch.where(better, cost, best[1]),
                            torch.where(better[:, None], residual, best[2]),
                        )
                last = best[0]
                # error = x - decoded = (target - decoded) + hold * error before
                error = best[2] + hold * error
                for level, book in enumerate(books):
                    out[:, t, book] = last[:, level].to(torch.int16)
        return out

    def decode(self, codes: Tensor) -> Tensor:
        """codes [..., CODEBOOKS] to the sum of their vectors [..., LATENT]."""
        total = torch.zeros(*codes.shape[:-1], LATENT)
        for book in range(CODEBOOKS):
            total += self.codebooks[book][codes[..., book]]
        return total


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest centre for each row."""
    half_norm = centres.square().sum(1) / 2
    return torch.cat([(half_norm - part @ centres.T).argmin(1) for part in x.split(16384)])


class PostNet(nn.Module):
    """Causal residual network: what the quantiser lost, guessed from the recent past."""

    def __init__(self) -> None:
        super().__init__()
        self.inlet = nn.Linear(LATENT, POST_WIDTH)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "depthwise": nn.Conv1d(POST_WIDTH, POST_WIDTH, POST_KERNEL, groups=POST_WIDTH),
                    "norm": nn.LayerNorm(POST_WIDTH),
                    "up": nn.Linear(POST_WIDTH, POST_HIDDEN),
                    "down": nn.Linear(POST_HIDDEN, POST_WIDTH),
                }
            )
            for _ in range(POST_BLOCKS)
        )
        self.outlet = nn.Linear(POST_WIDTH, HOPS_PER_FRAME * BANDS)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, z: Tensor) -> Tensor:
        """z [batch, frames, LATENT] to a correction [batch, frames, hops, bands]."""
        x = self.inlet(z)
        for block in self.blocks:
            y = nnf.pad(x.transpose(1, 2), (POST_KERNEL - 1, 0))
            y = block["norm"](block["depthwise"](y).transpose(1, 2))
            x = x + block["down"](nnf.gelu(block["up"](y), approximate="tanh"))
        return self.outlet(x).unflatten(-1, (HOPS_PER_FRAME, BANDS))


class Codec(nn.Module):
    """Features to codes and back."""

    def __init__(self) -> None:
        super().__init__()
        self.basis, self.quantiser, self.post = Basis(), Quantiser(), PostNet()

    def encode(self, x: Tensor) -> Tensor:
        """x [n, hops, bands] in 0..1 to codes [n, CODEBOOKS]."""
        return self.quantiser.encode(self.basis.encode(x))

    def spectrum(self, z: Tensor) -> Tensor:
        """Latents [batch, frames, LATENT] to features [batch, frames, hops, bands]."""
        return self.basis.decode(z) + self.post(z)

    def forward(self, codes: Tensor) -> Tensor:
        return self.spectrum(self.quantiser.decode(codes))
