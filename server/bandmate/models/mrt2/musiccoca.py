# SPDX-License-Identifier: GPL-3.0-or-later
"""MusicCoCa: text and audio prompts to style embeddings and codes, by the official TFLite files."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import BundleError
from bandmate.models.mrt2.noise import mapper_noise

Floats = NDArray[np.float32]

TEXT_ENCODER = "text_encoder.tflite"
AUDIO_PREPROCESSOR = "audio_preprocessor.tflite"
MUSIC_ENCODER = "music_encoder.tflite"
QUANTIZER = "pretrained_vector_quantizer.tflite"
MAPPER = "mapper.tflite"
VOCABULARY = "spm.model"

START_ID = 1  # before the words; nothing follows them
PADDING_ID = 0
MASKED = -1  # a style level left to the model
CODES_PREFIX = "musiccoca:"  # of a prompt that is codes, as the reference's applications take it
CODES = 1024  # of a level
AUDIO_RATE = 16000  # Hz, what the audio encoder hears
EXTRA = "pip install 'bandmate[mrt2]'"


class TfliteModel:
    """One TFLite file. Tensors are addressed by place and type: official names are not fixed."""

    def __init__(self, path: Path):
        """Loads the file.

        Raises:
            BundleError: it is missing or broken, or LiteRT is not installed.
        """
        if not path.is_file():
            raise BundleError(
                f"the style encoder's {path.name} is missing. Get it with `bandmate models "
                f"download` and the model's name. It belongs in {path.parent}."
            )
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise BundleError(f"Prompts of this model need LiteRT: {EXTRA}.") from error
        try:
            self._interpreter: Any = Interpreter(model_path=str(path))
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(f"{path} is not a usable TFLite file. Get it again.") from error
        self._path = path
        self._inputs = self._interpreter.get_input_details()
        self._output = self._interpreter.get_output_details()[0]

    def input_size(self, place: int) -> int:
        """Elements of an input."""
        return int(np.prod(self._inputs[place]["shape"]))

    def place_of(self, dtype: type) -> int:
        """The first input of a type.

        Raises:
            BundleError: there is none.
        """
        for place, details in enumerate(self._inputs):
            if details["dtype"] == dtype:
                return place
        raise BundleError(f"{self._path} has no {np.dtype(dtype)} input. Is it the right file?")

    def run(self, inputs: dict[int, NDArray[Any]]) -> NDArray[Any]:
        """Runs on inputs by place, each with as many elements as the file wants; first output.

        Raises:
            BundleError: an input does not have the size the file wants.
        """
        for place, value in inputs.items():
            details = self._inputs[place]
            if value.size != self.input_size(place):
                raise BundleError(
                    f"{self._path}: input {place} takes {self.input_size(place)} numbers, "
                    f"not {value.size}. Is it the right file?"
                )
            shaped = value.reshape(details["shape"]).astype(details["dtype"])
            self._interpreter.set_tensor(details["index"], shaped)
        self._interpreter.invoke()
        out: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return out.copy()


class MusicCoCa:
    """Implements `interface.StyleEncoder`. Files are loaded when first needed.

    Attributes:
        dim: width of embeddings.
    """

    def __init__(
        self,
        folder: Path,
        dim: int,
        levels: int,
        *,
        active_levels: int | None = None,
        use_mapper: bool = True,
    ):
        """Looks for nothing yet.

        Args:
            folder: where the TFLite files and the SentencePiece vocabulary are.
            dim: width of embeddings.
            levels: style codes to return.
            active_levels: how many of them to tell, coarsest first; the rest is masked. None: all.
            use_mapper: bring text embeddings to where audio embeddings are, if the file for it
                is there.
        """
        self.dim = dim
        self._levels = levels
        self._active = levels if active_levels is None else active_levels
        self._folder = folder
        self._use_mapper = use_mapper
        self._models: dict[str, TfliteModel] = {}
        self._words: Any = None
        # Interpreters and the vocabulary are shared by the prompt pool's threads.
        self._lock = threading.Lock()

    def encode_text(self, text: str) -> Floats | NDArray[np.int32]:
        """Embedding [dim] of a prompt; the empty text is legal.

        `musiccoca:` and as many numbers as there are levels, with commas, are style codes.

        Raises:
            BundleError: a file is missing or broken, or a code is none.
        """
        if text.startswith(CODES_PREFIX):
            return self._told_codes(text)
        with self._lock:
            encoder = self._model(TEXT_ENCODER)
            self._model(QUANTIZER)  # `quantise` is for the inference thread: it must not fail there
            words, padding = encoder.place_of(np.int32), encoder.place_of(np.float32)
            ids = self._ids(text, encoder.input_size(words))
            rest = encoder.input_size(words) - len(ids)
            embedding = encoder.run(
                {
                    words: np.array(ids + [PADDING_ID] * rest, np.int32),
                    padding: np.array([0.0] * len(ids) + [1.0] * rest, np.float32),
                }
            )
            embedding = self._checked(embedding)
            if not self._use_mapper or not (self._folder / MAPPER).is_file():
                return embedding
            mapped = self._checked(
                self._model(MAPPER).run({0: embedding, 1: mapper_noise(0, self.dim)})
            )
            return mapped / np.float32(max(float(np.linalg.norm(mapped)), 1e-12))

    def encode_audio(self, audio: Floats, sample_rate: int) -> Floats:
        """Embedding [dim] of audio [samples, channels]: the mean over windows. Raises BundleError.

        The last window is filled up with silence.
        """
        with self._lock:
            preprocessor = self._model(AUDIO_PREPROCESSOR)
            self._model(QUANTIZER)  # as for texts
            window = preprocessor.input_size(0)
            mono = resampled(audio.mean(axis=1), sample_rate, AUDIO_RATE)
            count = max(1, -(-len(mono) // window))
            windows = np.pad(mono, (0, count * window - len(mono))).reshape(count, window)
            encoder = self._model(MUSIC_ENCODER)
            embeddings = [
                self._checked(encoder.run({0: preprocessor.run({0: samples})}))
                for samples in windows
            ]
            return np.mean(embeddings, axis=0, dtype=np.float32)

    def quantise(self, embedding: Floats) -> NDArray[np.int32]:
        """Style codes [levels] of an embedding [dim], which may be a blend. Raises BundleError."""
        with self._lock:
            codes = self._model(QUANTIZER).run({0: embedding.astype(np.float32)}).reshape(-1)
        if len(codes) < self._levels:
            raise BundleError(f"{self._folder / QUANTIZER} gives {len(codes)} codes only.")
        return self._told(codes[: self._levels].astype(np.int32))

    def _told_codes(self, text: str) -> NDArray[np.int32]:
        words = text.removeprefix(CODES_PREFIX).split(",")
        told = [int(word) for word in words if word.strip().isdecimal()]
        if not len(words) == len(told) == self._levels or max(told) >= CODES:
            raise BundleError(
                f"'{CODES_PREFIX}' takes {self._levels} numbers of 0..{CODES - 1}, with commas."
            )
        return self._told(np.array(told, np.int32))

    def _told(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The codes with those levels masked that are never told."""
        codes[self._active :] = MASKED
        return codes

    def _model(self, name: str) -> TfliteModel:
        if name not in self._models:
            self._models[name] = TfliteModel(self._folder / name)
        return self._models[name]

    def _ids(self, text: str, size: int) -> list[int]:
        if self._words is None:
            try:
                from sentencepiece import SentencePieceProcessor
            except ImportError as error:
                raise BundleError(f"Prompts of this model need SentencePiece: {EXTRA}.") from error
            try:
                self._words = SentencePieceProcessor(model_file=str(self._folder / VOCABULARY))
            except (OSError, RuntimeError) as error:
                raise BundleError(
                    f"{self._folder / VOCABULARY} cannot be read. Download it again."
                ) from error
        return [START_ID, *self._words.encode(text.lower())[: size - 1]]

    def _checked(self, embedding: NDArray[Any]) -> Floats:
        flat: Floats = embedding.reshape(-1).astype(np.float32)
        if flat.size != self.dim or not np.isfinite(flat).all():
            raise BundleError(
                f"{self._folder}: an encoder gave no embedding of {self.dim} numbers."
            )
        return flat


def resampled(mono: Floats, rate: int, wanted: int) -> Floats:
    """Audio [samples] at another rate."""
    if rate == wanted:
        return mono.astype(np.float32)
    from pedalboard.io import StreamResampler

    resampler = StreamResampler(rate, wanted, 1)
    pieces = [resampler.process(mono.astype(np.float32)[None]), resampler.process()]
    return np.concatenate(pieces, axis=1)[0]
