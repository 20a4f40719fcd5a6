# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model's style encoder: text and sound to one embedding space, and to codes."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.pico.codec import CodecSpec
from bandmate.models.pico.features import FeatureExtractor
from bandmate.models.pico.prompt_features import (
    TEXT_BUCKETS,
    audio_statistics,
    statistics_width,
    text_buckets,
)

Floats = NDArray[np.float32]

NEAREST = 100.0  # how much more the sounds nearest to a text's point count than others
SILENT = 0.33  # no feature above this: a band whose amplitude is at most its floor


class PicoStyleEncoder:
    """Implements `interface.StyleEncoder`. Read-only after loading: any thread may call it.

    Attributes:
        dim: values of an embedding, which has length one.
    """

    def __init__(self, tensors: dict[str, Floats], features: FeatureExtractor) -> None:
        self._tensors = tensors
        self._features = features
        self.dim = tensors["codebooks"].shape[2]

    @classmethod
    def load(cls, bundle: Bundle) -> PicoStyleEncoder:
        """Reads and checks the bundle's `style` weights.

        Raises:
            BundleError: the file is missing or broken, or a tensor does not fit.
        """
        path = bundle.weights.get("style")
        if path is None or bundle.conditioning is None:
            raise BundleError(f"{bundle.path}: weights.style is missing. Get the bundle again.")
        try:
            loaded = load_file(path)
        except (OSError, SafetensorError) as error:
            raise BundleError(f"{path} cannot be read ({error}). Get the bundle again.") from error
        spec = CodecSpec.from_json(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
        conditioning = bundle.conditioning
        try:
            _levels, _codes, dim = loaded["codebooks"].shape
            known = len(loaded["sounds"])
            text_width, hidden = loaded["text.0.weight"].shape[::-1]
            audio_hidden = len(loaded["audio.0.bias"])
        except (KeyError, ValueError) as error:
            raise BundleError(f"{path}: {error} is missing or misshapen.") from error
        width = statistics_width()
        shapes: dict[str, tuple[int, ...]] = {
            "codebooks": (conditioning.style_levels, conditioning.style_codes, dim),
            "table": (TEXT_BUCKETS, text_width),
            "table_score": (TEXT_BUCKETS,),
            "sounds": (known, dim),
            "audio_mean": (width,),
            "audio_scale": (width,),
        }
        for name, sizes in (
            ("text", (text_width, hidden, dim)),
            ("audio", (width, audio_hidden, audio_hidden, dim)),
        ):
            for layer, (inner, outer) in enumerate(itertools.pairwise(sizes)):
                shapes[f"{name}.{layer}.weight"] = (outer, inner)
                shapes[f"{name}.{layer}.bias"] = (outer,)
        for name in sorted(shapes.keys() | loaded.keys()):
            have = loaded[name].shape if name in loaded else None
            if have != shapes.get(name):
                raise BundleError(
                    f"{path}: tensor '{name}' should be {shapes.get(name, 'absent')} and is "
                    f"{have or 'absent'}. Get the bundle again."
                )
        tensors = {name: value.astype(np.float32) for name, value in loaded.items()}
        return cls(tensors, FeatureExtractor(spec))

    def encode_text(self, text: str) -> Floats:
        """Embedding [dim] of a prompt; the empty text has one of its own."""
        buckets = text_buckets(text)
        share = np.exp(self._tensors["table_score"][buckets])
        pooled = (share / share.sum()) @ self._tensors["table"][buckets]
        return self._among_sounds(self._tower("text", pooled.astype(np.float32)))

    def encode_audio(self, audio: Floats, sample_rate: int) -> Floats:
        """Embedding [dim] of a sound [samples, channels].

        Raises:
            ValueError: the sound is shorter than a fifth of a second, or silent.
        """
        if len(audio) < sample_rate // 5:
            raise ValueError("An audio prompt needs at least 0.2 s of sound; 2 to 10 s work best.")
        features = self._features(audio, sample_rate)
        if features.max() < SILENT:
            raise ValueError("The audio prompt is silent. Record or choose a louder one.")
        t = self._tensors
        statistics = (audio_statistics(features) - t["audio_mean"]) * t["audio_scale"]
        return self._tower("audio", statistics)

    def quantise(self, embedding: Floats) -> NDArray[np.int32]:
        """Codes [levels] of an embedding or blend [dim], nearest first, level by level."""
        residual, codes = np.asarray(embedding, np.float32).copy(), []
        for book in self._tensors["codebooks"]:
            code = int(np.square(book - residual).sum(axis=1).argmin())
            residual -= book[code]
            codes.append(code)
        return np.array(codes, np.int32)

    def _among_sounds(self, point: Floats) -> Floats:
        """Moves a text's point to where sounds are: the mean of the known ones, the near above all.

        Words are vaguer than sounds and lie beside them. The language model was taught with sounds.
        """
        sounds = self._tensors["sounds"]
        near = sounds @ point
        mean = np.exp(NEAREST * (near - near.max())) @ sounds
        return (mean / np.linalg.norm(mean)).astype(np.float32)

    def _tower(self, name: str, x: Floats) -> Floats:
        layer = 0
        while (weight := self._tensors.get(f"{name}.{layer}.weight")) is not None:
            if layer:
                x = (
                    x
                    * np.float32(0.5)
                    * (1 + np.tanh(np.float32(0.7978846) * (x + np.float32(0.044715) * x**3)))
                )
            x = weight @ x + self._tensors[f"{name}.{layer}.bias"]
            layer += 1
        return (x / np.linalg.norm(x)).astype(np.float32)
