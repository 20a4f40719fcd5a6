# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of MusicCoCa's signatures: each network is one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sentencepiece

from bandmate.models.mrt2 import musiccoca
from support.tflite import FLOAT, INT, TfliteWriter

WORDS, WINDOW, FEATURES = 128, 1600, 16
SENTENCES = ["a jazz piano trio", "heavy metal guitar riff", "disco funk", "ambient pads"]


@dataclass(frozen=True)
class SmallMusicCoCa:
    """The matrices in the files, [out, in] each, and what the quantiser adds to its codes."""

    text: np.ndarray
    padding: np.ndarray
    feature: np.ndarray
    audio: np.ndarray
    codes: np.ndarray
    first_code: float = 0.0

    @classmethod
    def random(cls, dim: int, levels: int, codes_scale: float = 100.0, first_code: float = 0.0):
        """Embeddings of `dim` numbers, `levels` codes."""
        rng = np.random.default_rng(1)

        def matrix(*shape: int) -> np.ndarray:
            return rng.normal(size=shape).astype(np.float32)

        return cls(
            text=matrix(dim, WORDS),
            padding=matrix(dim, WORDS),
            feature=matrix(FEATURES, WINDOW),
            audio=matrix(dim, FEATURES),
            codes=np.abs(matrix(levels, dim)) * np.float32(codes_scale),
            first_code=first_code,
        )

    def write(self, folder: Path) -> None:
        """Writes the files that every user has; the mapper is a file of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        text = TfliteWriter()
        # The paddings come first here: the encoder must go by type, not by place.
        padding, ids = text.input(WORDS), text.input(WORDS, INT)
        words = text.product(text.cast(ids, WORDS, FLOAT), self.text)
        result = text.add(words, text.product(padding, self.padding), len(self.text))
        text.write(folder / musiccoca.TEXT_ENCODER, result)
        for name, weights in (
            (musiccoca.AUDIO_PREPROCESSOR, self.feature),
            (musiccoca.MUSIC_ENCODER, self.audio),
        ):
            writer = TfliteWriter()
            writer.write(folder / name, writer.product(writer.input(weights.shape[1]), weights))
        quantizer = TfliteWriter()
        levels, dim = self.codes.shape
        first = quantizer.tensor((1, levels), FLOAT, np.full(levels, self.first_code, np.float32))
        codes = quantizer.add(quantizer.product(quantizer.input(dim), self.codes), first, levels)
        quantizer.write(folder / musiccoca.QUANTIZER, quantizer.cast(codes, levels, INT))
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_prefix=str(folder / "spm"),
            vocab_size=40,
            hard_vocab_limit=False,
            minloglevel=2,
        )


def write_mapper(folder: Path, one: np.ndarray, other: np.ndarray) -> None:
    """Writes the mapper: `one` times the embedding and `other` times the noise, [dim, dim]."""
    writer = TfliteWriter()
    embedding, noise = writer.input(len(one)), writer.input(len(one))
    result = writer.add(writer.product(embedding, one), writer.product(noise, other), len(one))
    writer.write(folder / musiccoca.MAPPER, result)
