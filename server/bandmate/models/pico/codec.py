# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model's codec: codes to log magnitudes to sound, one frame at a time.

A frame's codes each name a vector; their sum is the frame's latent. An orthogonal basis per band
group turns it into levels, and `synthesis` makes sound of them.
Runs in numpy: the work is a few matrix-vector products.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.pico.stereo import loudness_matrix, place_weights
from bandmate.models.pico.synthesis import Synthesiser, SynthesisSpec, SynthesisState

Floats = NDArray[np.float32]

# Where a level that comes up is heard as a note struck again. Over it, sounds live by fluctuating:
# on development texts and pieces, strings were heard as pads more often without this bound.
NOTES_TO_HZ = 1700.0
LIMIT_KNEE = np.float32(0.8)
STEREO_KEEP = 0.002  # a nearer code than the last must be this much nearer; in training too
# Codes change in steps, heard as notes struck again. So much of a step is taken back in a frame's
# first hops, up to where strings that fluctuate less would be heard as pads; steps over twice
# JOIN_DB are attacks and stay.
JOIN, JOIN_DB, JOIN_TO_HZ = (0.5, 0.25), 4.0, 800.0
HOLD = 0.7  # of a frame's error that the next is asked to keep; in training too


@dataclass(frozen=True)
class BandGroup:
    """Bands first..end-1, described by `values` numbers, coded in `levels` codes."""

    first: int
    end: int
    values: int
    levels: int


@dataclass(frozen=True)
class CodecSpec:
    """The bundle's `codec` object.

    Attributes:
        log_low, log_high: log amplitudes of feature values 0 and 1.
        code_groups: for each of a frame's first codes, the band group it belongs to.
        stereo_books: codes after those, which say for equal parts of the stereo regions where
            they lie and how wide they are (see stereo.py).
    """

    synthesis: SynthesisSpec
    log_low: float
    log_high: float
    groups: tuple[BandGroup, ...]
    code_groups: tuple[int, ...]
    stereo_books: int = 0

    @classmethod
    def from_json(cls, raw: dict[str, Any], sample_rate: int, source: str) -> CodecSpec:
        """Reads the object.

        Raises:
            BundleError: a key is missing, unknown or does not fit the others.
        """
        try:
            raw = dict(raw)
            raw.pop("kind", None)
            synthesis = dict(raw.pop("synthesis"))
            for pair in ("flat_db", "flat_high_db", "flat_hz", "floor_hz"):
                if pair in synthesis:
                    synthesis[pair] = tuple(synthesis[pair])
            spec = cls(
                synthesis=SynthesisSpec(sample_rate=sample_rate, **synthesis),
                groups=tuple(BandGroup(**g) for g in raw.pop("groups")),
                code_groups=tuple(raw.pop("code_groups")),
                **raw,
            )
        except (KeyError, TypeError) as error:
            raise BundleError(f"{source}: 'codec' is not understood ({error}).") from error
        for number, group in enumerate(spec.groups):
            if spec.code_groups.count(number) != group.levels:
                raise BundleError(f"{source}: 'codec.code_groups' does not match group {number}.")
        if spec.stereo_books and spec.synthesis.stereo_regions % spec.stereo_books:
            raise BundleError(f"{source}: 'codec.stereo_books' does not divide the stereo regions.")
        return spec


@dataclass
class CodecState:
    """One stream's past."""

    last: Floats  # [bands] features of the last hop
    synthesis: SynthesisState


class MagnitudeCodec:
    """Weights and tables; state is passed in and out, so one object serves every stream."""

    def __init__(self, spec: CodecSpec, tensors: dict[str, Floats], channels: int) -> None:
        self.spec, self.channels = spec, channels
        self._range = spec.log_high - spec.log_low
        self._tensors = tensors
        self._synthesiser = Synthesiser(spec.synthesis)
        self._joined_bands = int(np.searchsorted(spec.synthesis.band_hertz(), JOIN_TO_HZ))
        synthesis = spec.synthesis
        self._floors = np.exp(synthesis.log_floors())
        self._loudness = loudness_matrix(
            synthesis.band_centres(), synthesis.bins, max(1, synthesis.stereo_regions)
        )
        ends = np.cumsum([0] + [g.values for g in spec.groups])
        self._spans = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self._latent = int(ends[-1])
        self._means, self._rows = self._code_features()

    @classmethod
    def load(cls, bundle: Bundle) -> MagnitudeCodec:
        """Reads and checks the bundle's `codec` weights.

        Raises:
            BundleError: the file is broken, or a tensor is missing, extra or misshapen.
        """
        source = str(bundle.path)
        spec = CodecSpec.from_json(bundle.codec, bundle.frame.sample_rate, source)
        if spec.synthesis.frame_samples != bundle.frame.frame_samples:
            raise BundleError(f"{source}: 'codec.synthesis' does not fill a frame.")
        if "codec" not in bundle.weights:
            raise BundleError(f"{source}: weights.codec is missing. Get the bundle again.")
        path = bundle.weights["codec"]
        try:
            loaded = load_file(path)
        except (OSError, SafetensorError) as error:
            raise BundleError(f"{path} cannot be read ({error}). Get the bundle again.") from error
        code_size = bundle.depthformer.codebook_size if bundle.depthformer else 0
        wanted = tensor_shapes(spec, code_size)
        for name in sorted(wanted.keys() | loaded.keys()):
            have = loaded[name].shape if name in loaded else None
            if have != wanted.get(name):
                raise BundleError(
                    f"{path}: tensor '{name}' should be {wanted.get(name, 'absent')} and is "
                    f"{have or 'absent'}. Get the bundle again."
                )
        tensors = {name: value.astype(np.float32) for name, value in loaded.items()}
        return cls(spec, tensors, bundle.frame.channels)

    def init_state(self) -> CodecState:
        """A stream before its first frame."""
        silence = (self.spec.synthesis.log_floors() - self.spec.log_low) / self._range
        return CodecState(silence.astype(np.float32), self._synthesiser.init_state())

    def decode(
        self, codes: NDArray[np.int32], states: Sequence[CodecState]
    ) -> tuple[Floats, list[CodecState]]:
        """One frame for each stream.

        Args:
            codes: [n, codebooks] codes, 0 <= code < codebook_size.
            states: n states, not modified.

        Returns:
            audio [n, F, channels] float32, left and right, or the same in every channel where the
            bundle has no stereo; and n new states.
        """
        features = np.empty((len(codes), *self._means.shape), np.float32)
        features[:] = self._means
        for book, (group, rows) in enumerate(zip(self.spec.code_groups, self._rows, strict=True)):
            bands = self.spec.groups[group]
            features[:, :, bands.first : bands.end] += rows[codes[:, book]]
        features = self._joined(features, states)
        return self.sound(features, [self._stereo(row) for row in codes], states)

    def sound(
        self, features: Floats, places: Sequence[Floats | None], states: Sequence[CodecState]
    ) -> tuple[Floats, list[CodecState]]:
        """As `decode`, of what codes stand for.

        Args:
            features: [n, hops, bands].
            places: n pans and widths [regions, 2]; None where the bundle has no stereo.
        """
        levels = features * np.float32(self._range)
        levels += np.float32(self.spec.log_low)
        sides, synthesis = self._synthesiser.frames(levels, [s.synthesis for s in states], places)
        if self.channels != sides.shape[1]:
            sides = np.repeat(sides.mean(axis=1, keepdims=True), self.channels, axis=1)
        return _soft_limit(sides).swapaxes(1, 2), [
            CodecState(*parts) for parts in zip(features[:, -1].copy(), synthesis, strict=True)
        ]

    def _joined(self, features: Floats, states: Sequence[CodecState]) -> Floats:
        """Features [n, hops, bands] with a part of their step from the last frame taken back."""
        low = slice(0, self._joined_bands)
        step = features[:, 0, low] - np.stack([state.last[low] for state in states])
        limit = np.float32(JOIN_DB * np.log(10) / 20 / self._range)
        step = np.clip(step, np.minimum(-2 * limit - step, 0), np.maximum(2 * limit - step, 0))
        for hop, share in enumerate(JOIN):
            features[:, hop, low] -= np.float32(share) * step
        return features

    def _stereo(self, codes: NDArray[np.int32]) -> Floats | None:
        """Pan and width [regions, 2] of a frame's codes."""
        if not self.spec.stereo_books:
            return None
        own = codes[len(self.spec.code_groups) :]
        parts = [self._tensors[f"stereo.{book}"][code] for book, code in enumerate(own)]
        return np.concatenate(parts).reshape(-1, 2)

    def encoder(self) -> Callable[..., NDArray[np.int32]]:
        """An encoder of one stream: its next frame to codes [codebooks].

        It takes features [hops, bands] and pan and width [regions, 2] (None: in the middle).

        A steady sound keeps its codes: each frame's target is moved by a part of the last frame's
        error, and the last frame's codes stay where no others come nearer to it. Frames quantised
        each by itself flicker, which is heard as new onsets.
        """
        errors = [np.zeros(g.values, np.float32) for g in self.spec.groups]
        last: NDArray[np.int32] | None = None

        def encode(features: Floats, stereo: Floats | None = None) -> NDArray[np.int32]:
            nonlocal last
            count = len(self.spec.code_groups)
            out = np.empty(count + self.spec.stereo_books, np.int32)
            for number, error in enumerate(errors):
                books = [b for b, g in enumerate(self.spec.code_groups) if g == number]
                target = self._to_latent(features, number) - HOLD * error
                codes, residual = self._nearest(target, books)
                if last is not None:
                    kept = target - self._sum(last, books)
                    if kept @ kept <= residual @ residual:
                        codes, residual = last[books], kept
                out[books] = codes
                errors[number] = residual + HOLD * error
            before = None if last is None else last[count:]
            out[count:] = self._stereo_codes(stereo, place_weights(self._power(features)), before)
            last = out
            return out

        return encode

    def _stereo_codes(
        self, stereo: Floats | None, weights: Floats, last: NDArray[np.int32] | None
    ) -> NDArray[np.int32]:
        """Nearest codes of pan and width, told most by the loudest regions; a place that hardly
        moves keeps its code.

        Args:
            stereo, weights: [regions, 2].
        """
        books = self.spec.stereo_books
        if stereo is None:
            stereo = self._synthesiser.init_state().stereo
        out = np.empty(books, np.int32)
        for book in range(books):
            part = slice(book * len(stereo) // books, (book + 1) * len(stereo) // books)
            off = self._tensors[f"stereo.{book}"] - stereo[part].reshape(-1)
            distance = np.square(off) @ weights[part].reshape(-1)
            out[book] = distance.argmin()
            if last is not None and distance[last[book]] < distance[out[book]] + STEREO_KEEP:
                out[book] = last[book]
        return out

    def _power(self, features: Floats) -> Floats:
        """Power of each stereo region [regions] in the middle of a frame's [hops, bands]."""
        middle = features[self.spec.synthesis.middle_hop]
        amplitudes = np.exp(middle * np.float32(self._range) + np.float32(self.spec.log_low))
        return np.square(np.maximum(amplitudes - self._floors, 0)) @ self._loudness

    def _to_latent(self, features: Floats, number: int) -> Floats:
        """A frame's features [hops, bands] to the latent of one band group."""
        group = self.spec.groups[number]
        flat = features[:, group.first : group.end].reshape(-1)
        return (flat - self._tensors[f"basis.{number}.mean"]) @ self._tensors[
            f"basis.{number}.vectors"
        ]

    def _nearest(self, target: Floats, books: list[int]) -> tuple[NDArray[np.int32], Floats]:
        """Codes of a band group's books, found one after the other, and what they leave."""
        residual, codes = target, np.empty(len(books), np.int32)
        for level, book in enumerate(books):
            centres = self._tensors[f"codebooks.{book}"]
            codes[level] = (np.square(centres).sum(axis=1) / 2 - centres @ residual).argmin()
            residual = residual - centres[codes[level]]
        return codes, residual

    def _sum(self, codes: NDArray[np.int32], books: list[int]) -> Floats:
        return np.sum([self._tensors[f"codebooks.{b}"][codes[b]] for b in books], axis=0)

    def code_values(self) -> Floats:
        """What each code stands for [codebooks, codebook_size, values], with zeros behind."""
        books = [self._tensors[f"codebooks.{b}"] for b in range(len(self.spec.code_groups))]
        books += [self._tensors[f"stereo.{b}"] for b in range(self.spec.stereo_books)]
        width = max(book.shape[1] for book in books)
        return np.stack([np.pad(book, ((0, 0), (0, width - book.shape[1]))) for book in books])

    def code_levels(self) -> Floats:
        """How loud what each code stands for is [codebooks, codebook_size]: dB, the mean of its
        band over a frame; 0 for bands from NOTES_TO_HZ on and for places, which may change freely.
        """
        hertz = self.spec.synthesis.band_hertz()
        decibels = self._range * 20 / np.log(10)
        levels = np.zeros(self.code_values().shape[:2], np.float32)
        for book, group in enumerate(self.spec.code_groups):
            if hertz[self.spec.groups[group].first] >= NOTES_TO_HZ:
                continue
            mean = self._tensors[f"basis.{group}.vectors"].mean(axis=0)
            levels[book] = self._tensors[f"codebooks.{book}"] @ mean * np.float32(decibels)
        return levels

    def _code_features(self) -> tuple[Floats, list[Floats]]:
        """Features without any code [hops, bands], and of each book what each of its codes adds
        [codebook_size, hops, bands of its group]."""
        means = self.features(np.zeros((1, self._latent), np.float32))[0]
        hops, rows = self.spec.synthesis.hops_per_frame, []
        for book, group in enumerate(self.spec.code_groups):
            part = self._tensors[f"codebooks.{book}"] @ self._tensors[f"basis.{group}.vectors"].T
            rows.append(part.reshape(len(part), hops, -1))
        return means, rows

    def unquantised(self, features: Floats) -> Floats:
        """What the bases keep of features [n, hops, bands]: the codec without its codes."""
        groups = range(len(self.spec.groups))
        rows = [np.concatenate([self._to_latent(f, g) for g in groups]) for f in features]
        return self.features(np.stack(rows))

    @property
    def code_size(self) -> int:
        """Values of each code."""
        return len(self._tensors["codebooks.0"])

    def state_tree(self, state: CodecState) -> dict[str, Any]:
        """A stream's past as dicts and lists of arrays."""
        synthesis = {**vars(state.synthesis), "frame": np.array([state.synthesis.frame], np.int64)}
        return {"last": state.last, "synthesis": synthesis}

    def state_from_tree(self, tree: dict[str, Any]) -> CodecState:
        """The stream's past of such a tree."""
        synthesis = {**tree["synthesis"], "frame": int(tree["synthesis"]["frame"][0])}
        return CodecState(tree["last"], SynthesisState(**synthesis))

    def features(self, latent: Floats) -> Floats:
        """Latents [n, values] to features [n, hops, bands]."""
        hops, bands = self.spec.synthesis.hops_per_frame, self.spec.synthesis.bands
        out = np.empty((len(latent), hops, bands), np.float32)
        for number, (group, span) in enumerate(zip(self.spec.groups, self._spans, strict=True)):
            flat = latent[:, span] @ self._tensors[f"basis.{number}.vectors"].T
            flat += self._tensors[f"basis.{number}.mean"]
            out[:, :, group.first : group.end] = flat.reshape(len(latent), hops, -1)
        return out


def tensor_shapes(spec: CodecSpec, code_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a codec file."""
    hops = spec.synthesis.hops_per_frame
    shapes: dict[str, tuple[int, ...]] = {}
    for number, group in enumerate(spec.groups):
        size = (group.end - group.first) * hops
        shapes[f"basis.{number}.mean"] = (size,)
        shapes[f"basis.{number}.vectors"] = (size, group.values)
    for book, group_number in enumerate(spec.code_groups):
        shapes[f"codebooks.{book}"] = (code_size, spec.groups[group_number].values)
    for book in range(spec.stereo_books):
        shapes[f"stereo.{book}"] = (
            code_size,
            2 * spec.synthesis.stereo_regions // spec.stereo_books,
        )
    return shapes


def _soft_limit(x: Floats) -> Floats:
    """Bends what is over LIMIT_KNEE towards full scale, so that no code sequence clips hard."""
    over = np.maximum(np.abs(x) - LIMIT_KNEE, 0)
    if not over.any():
        return x
    bent = LIMIT_KNEE + (1 - LIMIT_KNEE) * np.tanh(over / (1 - LIMIT_KNEE))
    return np.where(over > 0, np.copysign(bent, x), x).astype(np.float32)
