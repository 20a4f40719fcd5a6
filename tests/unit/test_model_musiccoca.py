# SPDX-License-Identifier: GPL-3.0-or-later
"""The style encoder's real code on small files of the official signatures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
spm = pytest.importorskip("sentencepiece")

from support.tflite import FLOAT, INT, TfliteWriter  # noqa: E402

from bandmate.models.bundle import BundleError  # noqa: E402
from bandmate.models.mrt2 import musiccoca  # noqa: E402
from bandmate.models.mrt2.musiccoca import MusicCoCa  # noqa: E402
from bandmate.models.mrt2.noise import mapper_noise  # noqa: E402

DIM, WORDS, WINDOW, FEATURES, LEVELS = 8, 128, 1600, 16, 12
RNG = np.random.default_rng(1)
TEXT = RNG.normal(size=(DIM, WORDS)).astype(np.float32)
PADDING = RNG.normal(size=(DIM, WORDS)).astype(np.float32)
FEATURE = RNG.normal(size=(FEATURES, WINDOW)).astype(np.float32)
AUDIO = RNG.normal(size=(DIM, FEATURES)).astype(np.float32)
CODES = np.abs(RNG.normal(size=(LEVELS, DIM))).astype(np.float32) * 100
MAP = RNG.normal(size=(DIM, DIM)).astype(np.float32)
NOISE = RNG.normal(size=(DIM, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("musiccoca")
    text = TfliteWriter()
    # The paddings come first here: the encoder must go by type, not by place.
    padding, ids = text.input(WORDS), text.input(WORDS, INT)
    words = text.product(text.cast(ids, WORDS, FLOAT), TEXT)
    result = text.add(words, text.product(padding, PADDING), DIM)
    text.write(path / musiccoca.TEXT_ENCODER, result)
    for name, weights in (
        (musiccoca.AUDIO_PREPROCESSOR, FEATURE),
        (musiccoca.MUSIC_ENCODER, AUDIO),
    ):
        writer = TfliteWriter()
        writer.write(path / name, writer.product(writer.input(weights.shape[1]), weights))
    quantizer = TfliteWriter()
    codes = quantizer.product(quantizer.input(DIM), CODES)
    quantizer.write(path / musiccoca.QUANTIZER, quantizer.cast(codes, LEVELS, INT))
    sentences = ["a jazz piano trio", "heavy metal guitar riff", "disco funk", "ambient pads"]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_prefix=str(path / "spm"),
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return path


def expected_text(folder: Path, text: str) -> np.ndarray:
    words = spm.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    ids = [1, *words.encode(text.lower())]
    padded = np.array(ids + [0] * (WORDS - len(ids)), np.float32)
    padding = np.array([0.0] * len(ids) + [1.0] * (WORDS - len(ids)), np.float32)
    return TEXT @ padded + PADDING @ padding


@pytest.mark.parametrize("text", ["Jazz Piano", "", "disco funk"])
def test_text(folder, text):
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_text(text)
    np.testing.assert_allclose(embedding, expected_text(folder, text), rtol=1e-4, atol=1e-3)


def test_long_text_is_cut(folder):
    assert np.isfinite(MusicCoCa(folder, DIM, LEVELS).encode_text("jazz piano " * 200)).all()


def test_mapper_normalises(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    writer = TfliteWriter()
    one, other = writer.input(DIM), writer.input(DIM)
    result = writer.add(writer.product(one, MAP), writer.product(other, NOISE), DIM)
    writer.write(tmp_path / musiccoca.MAPPER, result)
    mapped = MAP @ expected_text(folder, "disco") + NOISE @ mapper_noise(0, DIM)
    mapped /= np.linalg.norm(mapped)
    embedding = MusicCoCa(tmp_path, DIM, LEVELS).encode_text("disco")
    np.testing.assert_allclose(embedding, mapped, rtol=1e-3, atol=1e-4)
    plain = MusicCoCa(tmp_path, DIM, LEVELS, use_mapper=False).encode_text("disco")
    np.testing.assert_allclose(plain, expected_text(folder, "disco"), rtol=1e-4, atol=1e-3)


def test_audio_is_the_mean_over_windows(folder):
    audio = RNG.normal(size=(WINDOW * 2 + 100, 2)).astype(np.float32)
    mono = np.pad(audio.mean(axis=1), (0, WINDOW - 100)).reshape(3, WINDOW)
    expected = (AUDIO @ FEATURE @ mono.T).mean(axis=1)
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_audio(audio, musiccoca.AUDIO_RATE)
    np.testing.assert_allclose(embedding, expected, rtol=1e-3, atol=1e-2)


def test_audio_at_another_rate(folder):
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_audio(np.zeros((4800, 2), np.float32), 48000)
    assert np.abs(embedding).max() < 1e-3


@pytest.mark.parametrize("active", [None, 6])
def test_codes(folder, active):
    embedding = np.abs(RNG.normal(size=DIM)).astype(np.float32)
    expected = (CODES @ embedding).astype(np.int32)
    if active is not None:
        expected[active:] = -1
    encoder = MusicCoCa(folder, DIM, LEVELS, active_levels=active)
    assert (encoder.quantise(embedding) == expected).all()


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(BundleError, match=r"text_encoder\.tflite is missing"):
        MusicCoCa(tmp_path, DIM, LEVELS).encode_text("jazz")
    (tmp_path / musiccoca.TEXT_ENCODER).write_bytes(b"not a model")
    with pytest.raises(BundleError, match="not a usable TFLite file"):
        MusicCoCa(tmp_path, DIM, LEVELS).encode_text("jazz")


def test_wrong_width_is_noticed(folder):
    with pytest.raises(BundleError, match="no embedding of 9 numbers"):
        MusicCoCa(folder, DIM + 1, LEVELS).encode_text("jazz")
