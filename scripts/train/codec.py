# SPDX-License-Identifier: GPL-3.0-or-later
"""The magnitude codec in PyTorch: band PCA and a vector quantiser."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from features import BANDS, HOPS_PER_FRAME, LOG_HIGH, LOG_LOW, REGIONS, SPEC
from torch import Tensor, nn

from bandmate.models.pico import stereo
from bandmate.models.pico.codec import HOLD, STEREO_KEEP

# Band groups (first band, end, PCA values, code levels). One code a group: notes of a chord fall
# into different groups and combine freely. At the same rate, residual codes over three wide groups
# lost a fifth more of a chord's onsets, for each of their entries is a whole chord.
EDGES = (
    *(0, 10, 17, 24, 31, 38, 46, 54, 63, 72, 82, 93, 105, 118, 133, 150, 170, 190, 210),
    *(245, 285, 330),
)
GROUPS = tuple(
    (first, end, min(20, 4 * (end - first)), 1)
    for first, end in zip(EDGES, (*EDGES[1:], BANDS), strict=True)
)
CODE_SIZE = 1024
LATENT = sum(g[2] for g in GROUPS)
CODEBOOKS = sum(g[3] for g in GROUPS)
STEREO_BOOKS = 2  # codes a frame for pan and width: of the lower half of the regions, of the upper
STEREO_LATENT = REGIONS * 2 // STEREO_BOOKS


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


def nearest_weighed(x: Tensor, centres: Tensor, weights: Tensor) -> Tensor:
    """As `nearest`, with a weight of every value of every row."""
    return (weights @ centres.square().T - 2 * (weights * x) @ centres.T).argmin(1)


@cache
def _loudness() -> Tensor:
    return torch.from_numpy(stereo.loudness_matrix(SPEC.band_centres(), SPEC.bins, REGIONS))


def place_weights(features: Tensor) -> Tensor:
    """How much the place of each region matters [..., REGIONS, 2].

    Args:
        features: [..., hops, bands] in 0..1.
    """
    amplitudes = torch.exp(features[..., SPEC.middle_hop, :] * (LOG_HIGH - LOG_LOW) + LOG_LOW)
    heard = (amplitudes - torch.from_numpy(np.exp(SPEC.log_floors()))).clamp(min=0)
    power = heard.square() @ _loudness()
    return torch.from_numpy(stereo.place_weights(power.numpy()))


class Codec(nn.Module):
    """Features to codes and back."""

    def __init__(self) -> None:
        super().__init__()
        self.basis, self.quantiser = Basis(), Quantiser()
        self.register_buffer("stereo", torch.zeros(STEREO_BOOKS, CODE_SIZE, STEREO_LATENT))

    def encode_stereo(self, places: Tensor, weights: Tensor) -> Tensor:
        """Codes [streams, frames, STEREO_BOOKS] int16 of pan and width.

        Told most by the loudest regions. A place that hardly moves keeps its code: jumps between
        neighbours would be heard as motion.

        Args:
            places: [streams, frames, REGIONS, 2] in 0..1.
            weights: the same shape, see `place_weights`.
        """
        parts = places.flatten(2).split(STEREO_LATENT, -1)
        weighed = weights.flatten(2).split(STEREO_LATENT, -1)
        out = torch.empty(*places.shape[:2], STEREO_BOOKS, dtype=torch.int16)
        for number, (part, weight) in enumerate(zip(parts, weighed, strict=True)):
            centres, last = self.stereo[number], None
            for t in range(part.shape[1]):
                code = nearest_weighed(part[:, t], centres, weight[:, t])
                if last is not None:
                    new, old = (
                        ((part[:, t] - centres[c]).square() * weight[:, t]).sum(1)
                        for c in (code, last)
                    )
                    code = torch.where(old < new + STEREO_KEEP, last, code)
                out[:, t, number], last = code.to(torch.int16), code
        return out

    def code_values(self, dims: int) -> Tensor:
        """What each code stands for [codebooks, codes, dims], zeros where it has fewer values."""
        ends = np.cumsum([0] + [g[2] for g in GROUPS])
        out = torch.zeros(CODEBOOKS + STEREO_BOOKS, CODE_SIZE, dims)
        for book, (group, _) in enumerate(code_order()):
            own = self.quantiser.codebooks[book][:, ends[group] : ends[group + 1]]
            out[book, :, : own.shape[1]] = own
        out[CODEBOOKS:, :, :STEREO_LATENT] = self.stereo
        return out

    def encode(self, x: Tensor) -> Tensor:
        """x [n, hops, bands] in 0..1 to codes [n, CODEBOOKS]."""
        return self.quantiser.encode(self.basis.encode(x))

    def spectrum(self, z: Tensor) -> Tensor:
        """Latents [batch, frames, LATENT] to features [batch, frames, hops, bands]."""
        return self.basis.decode(z)

    def forward(self, codes: Tensor) -> Tensor:
        return self.spectrum(self.quantiser.decode(codes))
