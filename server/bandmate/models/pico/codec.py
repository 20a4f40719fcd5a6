# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model's codec: codes to log magnitudes to sound, one frame at a time.

A frame's codes each name a vector; their sum is the frame's latent. An orthogonal basis per band
group turns it into levels, a small causal network corrects them from the recent past, and
`synthesis` makes sound of them. Runs in numpy: the work is a few matrix-vector products.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.pico.synthesis import Synthesiser, SynthesisSpec, SynthesisState

Floats = NDArray[np.float32]

LIMIT_KNEE = np.float32(0.8)


@dataclass(frozen=True)
class BandGroup:
    """Bands first..end-1, described by `values` numbers, coded in `levels` codes."""

    first: int
    end: int
    values: int
    levels: int


@dataclass(frozen=True)
class PostNetSpec:
    """Sizes of the causal correction network."""

    width: int
    hidden: int
    blocks: int
    kernel: int


@dataclass(frozen=True)
class CodecSpec:
    """The bundle's `codec` object.

    Attributes:
        log_low, log_high: log amplitudes of feature values 0 and 1.
        code_groups: for each code of a frame, the band group it belongs to.
    """

    synthesis: SynthesisSpec
    log_low: float
    log_high: float
    groups: tuple[BandGroup, ...]
    code_groups: tuple[int, ...]
    post_net: PostNetSpec

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
            synthesis["flat_db"] = tuple(synthesis["flat_db"])
            spec = cls(
                synthesis=SynthesisSpec(sample_rate=sample_rate, **synthesis),
                groups=tuple(BandGroup(**g) for g in raw.pop("groups")),
                code_groups=tuple(raw.pop("code_groups")),
                post_net=PostNetSpec(**raw.pop("post_net")),
                **raw,
            )
        except (KeyError, TypeError) as error:
            raise BundleError(f"{source}: 'codec' is not understood ({error}).") from error
        for number, group in enumerate(spec.groups):
            if spec.code_groups.count(number) != group.levels:
                raise BundleError(f"{source}: 'codec.code_groups' does not match group {number}.")
        return spec


@dataclass
class CodecState:
    """One stream's past: inputs of each block's causal convolution, and the synthesis."""

    past: list[Floats]  # blocks x [kernel - 1, width]
    synthesis: SynthesisState


class MagnitudeCodec:
    """Weights and tables; state is passed in and out, so one object serves every stream."""

    def __init__(self, spec: CodecSpec, tensors: dict[str, Floats], channels: int) -> None:
        self.spec, self.channels = spec, channels
        self._tensors = tensors
        self._synthesiser = Synthesiser(spec.synthesis)
        ends = np.cumsum([0] + [g.values for g in spec.groups])
        self._spans = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self._latent = int(ends[-1])

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
        net = self.spec.post_net
        past = [np.zeros((net.kernel - 1, net.width), np.float32) for _ in range(net.blocks)]
        return CodecState(past, self._synthesiser.init_state())

    def decode(
        self, codes: NDArray[np.int32], states: Sequence[CodecState]
    ) -> tuple[Floats, list[CodecState]]:
        """One frame for each stream.

        Args:
            codes: [n, codebooks] codes, 0 <= code < codebook_size.
            states: n states, not modified.

        Returns:
            audio [n, F, channels] float32, every channel the same, and n new states.
        """
        latent = np.zeros((len(codes), self._latent), np.float32)
        for book, group in enumerate(self.spec.code_groups):
            latent[:, self._spans[group]] += self._tensors[f"codebooks.{book}"][codes[:, book]]
        features, pasts = self.features(latent, [state.past for state in states])
        levels = features * np.float32(self.spec.log_high - self.spec.log_low)
        levels += np.float32(self.spec.log_low)
        frames, new = [], []
        for level, state, past in zip(levels, states, pasts, strict=True):
            mono, synthesis = self._synthesiser.frame(level, state.synthesis)
            frames.append(np.repeat(_soft_limit(mono)[:, None], self.channels, axis=1))
            new.append(CodecState(past, synthesis))
        return np.stack(frames), new

    def state_tree(self, state: CodecState) -> dict[str, Any]:
        """A stream's past as dicts and lists of arrays."""
        synthesis = {**vars(state.synthesis), "frame": np.array([state.synthesis.frame], np.int64)}
        return {"past": state.past, "synthesis": synthesis}

    def state_from_tree(self, tree: dict[str, Any]) -> CodecState:
        """The stream's past of such a tree."""
        synthesis = {**tree["synthesis"], "frame": int(tree["synthesis"]["frame"][0])}
        return CodecState(tree["past"], SynthesisState(**synthesis))

    def features(
        self, latent: Floats, pasts: Sequence[list[Floats]]
    ) -> tuple[Floats, list[list[Floats]]]:
        """Latents [n, values] to features [n, hops, bands] and the network's new pasts."""
        hops, bands = self.spec.synthesis.hops_per_frame, self.spec.synthesis.bands
        plain = np.empty((len(latent), hops, bands), np.float32)
        for number, (group, span) in enumerate(zip(self.spec.groups, self._spans, strict=True)):
            flat = _by_row(latent[:, span], self._tensors[f"basis.{number}.vectors"].T)
            flat += self._tensors[f"basis.{number}.mean"]
            plain[:, :, group.first : group.end] = flat.reshape(len(latent), hops, -1)
        correction, new = self._post_net(latent, pasts)
        return plain + correction.reshape(plain.shape), new

    def _post_net(
        self, latent: Floats, pasts: Sequence[list[Floats]]
    ) -> tuple[Floats, list[list[Floats]]]:
        t = self._tensors
        x = _by_row(latent, t["post.inlet.weight"].T) + t["post.inlet.bias"]
        new: list[list[Floats]] = [[] for _ in pasts]
        for block in range(self.spec.post_net.blocks):
            name = f"post.blocks.{block}."
            runs = np.stack([np.vstack([p[block], row]) for p, row in zip(pasts, x, strict=True)])
            for stream, run in zip(new, runs, strict=True):
                stream.append(run[1:])
            y = np.einsum("nkw,wk->nw", runs, t[name + "depthwise.weight"])
            y = _layer_norm(
                y + t[name + "depthwise.bias"], t[name + "norm.weight"], t[name + "norm.bias"]
            )
            y = _gelu(_by_row(y, t[name + "up.weight"].T) + t[name + "up.bias"])
            x = x + _by_row(y, t[name + "down.weight"].T) + t[name + "down.bias"]
        return _by_row(x, t["post.outlet.weight"].T) + t["post.outlet.bias"], new


def tensor_shapes(spec: CodecSpec, code_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a codec file."""
    net, hops = spec.post_net, spec.synthesis.hops_per_frame
    latent = sum(g.values for g in spec.groups)
    shapes: dict[str, tuple[int, ...]] = {
        "post.inlet.weight": (net.width, latent),
        "post.inlet.bias": (net.width,),
        "post.outlet.weight": (hops * spec.synthesis.bands, net.width),
        "post.outlet.bias": (hops * spec.synthesis.bands,),
    }
    for number, group in enumerate(spec.groups):
        size = (group.end - group.first) * hops
        shapes[f"basis.{number}.mean"] = (size,)
        shapes[f"basis.{number}.vectors"] = (size, group.values)
    for book, group_number in enumerate(spec.code_groups):
        shapes[f"codebooks.{book}"] = (code_size, spec.groups[group_number].values)
    for block in range(net.blocks):
        name = f"post.blocks.{block}."
        shapes[name + "depthwise.weight"] = (net.width, net.kernel)
        shapes[name + "up.weight"] = (net.hidden, net.width)
        shapes[name + "up.bias"] = (net.hidden,)
        shapes[name + "down.weight"] = (net.width, net.hidden)
        for part in ("depthwise.bias", "norm.weight", "norm.bias", "down.bias"):
            shapes[name + part] = (net.width,)
    return shapes


def _by_row(x: Floats, weight: Floats) -> Floats:
    """x [n, in] times weight [in, out], each row on its own.

    One product of n rows would round differently than n products of one, and a stream would sound
    different (in its last bits) for having company.
    """
    return np.matmul(x[:, None, :], weight)[:, 0]


def _soft_limit(x: Floats) -> Floats:
    """Bends what is over LIMIT_KNEE towards full scale, so that no code sequence clips hard."""
    over = np.maximum(np.abs(x) - LIMIT_KNEE, 0)
    bent = LIMIT_KNEE + (1 - LIMIT_KNEE) * np.tanh(over / (1 - LIMIT_KNEE))
    return np.where(over > 0, np.copysign(bent, x), x).astype(np.float32)


def _layer_norm(x: Floats, weight: Floats, bias: Floats) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(1e-5))
    return centred * scale * weight + bias


def _gelu(x: Floats) -> Floats:
    """Tanh approximation of GELU."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.float32(0.5) * x * (1 + np.tanh(inner))
