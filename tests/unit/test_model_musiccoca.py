# SPDX-License-Identifier: GPL-3.0-or-later
"""The style encoder's real code on small files of the official signatures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")
spm = pytest.importorskip("sentencepiece")

from support.musiccoca import WINDOW, WORDS, SmallMusicCoCa, write_mapper  # noqa: E402

from bandmate.models.bundle import BundleError  # noqa: E402
from bandmate.models.mrt2 import musiccoca  # noqa: E402
from bandmate.models.mrt2.musiccoca import MusicCoCa  # noqa: E402
from bandmate.models.mrt2.noise import mapper_noise  # noqa: E402
from bandmate.session.style import StyleSlots  # noqa: E402

DIM, LEVELS = 8, 12
SMALL = SmallMusicCoCa.random(DIM, LEVELS)
RNG = np.random.default_rng(2)
MAP = RNG.normal(size=(DIM, DIM)).astype(np.float32)
NOISE = RNG.normal(size=(DIM, DIM)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("musiccoca")
    SMALL.write(path)
    return path


def expected_text(folder: Path, text: str) -> np.ndarray:
    words = spm.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    ids = [1, *words.encode(text.lower())[: WORDS - 1]]
    padded = np.array(ids + [0] * (WORDS - len(ids)), np.float32)
    padding = np.array([0.0] * len(ids) + [1.0] * (WORDS - len(ids)), np.float32)
    return SMALL.text @ padded + SMALL.padding @ padding


@pytest.mark.parametrize("text", ["Jazz Piano", "", "disco funk"])
def test_text(folder, text):
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_text(text)
    np.testing.assert_allclose(embedding, expected_text(folder, text), rtol=1e-4, atol=1e-3)


def test_long_text_is_cut(folder):
    text = "jazz piano " * 200
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_text(text)
    np.testing.assert_allclose(embedding, expected_text(folder, text), rtol=1e-4, atol=1e-2)


def test_case_is_no_matter_in_any_script(folder):
    encoder = MusicCoCa(folder, DIM, LEVELS)
    for one, other in (("ÉLECTRO À GOGO", "électro à gogo"), ("ДЖАЗ", "джаз"), ("JAZZ", "jazz")):
        assert (encoder.encode_text(one) == encoder.encode_text(other)).all()


def test_six_prompts_are_blended_before_they_are_quantised(folder):
    encoder = MusicCoCa(folder, DIM, LEVELS)
    slots = StyleSlots(encoder, LEVELS)
    embeddings = [np.abs(encoder.encode_text(text)) for text in "abcde"]
    embeddings.append(np.abs(encoder.encode_audio(np.ones((WINDOW, 2), np.float32), 16000)))
    slots.replace(dict(enumerate(embeddings)))
    weights = [0.1, 0.9, 0.0, 0.4, 1.0, 0.6]
    blend = sum(w / sum(weights) * e for w, e in zip(weights, embeddings, strict=True))
    assert (slots.codes(weights) == encoder.quantise(blend.astype(np.float32))).all()
    # The same proportions, and the first prompt where no weight is left.
    assert (slots.codes([w / 2 for w in weights]) == slots.codes(weights)).all()
    assert (slots.codes([0.0] * 6) == encoder.quantise(embeddings[0])).all()


def test_mapper_normalises(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_mapper(tmp_path, MAP, NOISE)
    mapped = MAP @ expected_text(folder, "disco") + NOISE @ mapper_noise(0, DIM)
    mapped /= np.linalg.norm(mapped)
    embedding = MusicCoCa(tmp_path, DIM, LEVELS).encode_text("disco")
    np.testing.assert_allclose(embedding, mapped, rtol=1e-3, atol=1e-4)
    plain = MusicCoCa(tmp_path, DIM, LEVELS, use_mapper=False).encode_text("disco")
    np.testing.assert_allclose(plain, expected_text(folder, "disco"), rtol=1e-4, atol=1e-3)


def test_audio_is_the_mean_over_windows(folder):
    audio = RNG.normal(size=(WINDOW * 2 + 100, 2)).astype(np.float32)
    mono = np.pad(audio.mean(axis=1), (0, WINDOW - 100)).reshape(3, WINDOW)
    expected = (SMALL.audio @ SMALL.feature @ mono.T).mean(axis=1)
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_audio(audio, musiccoca.AUDIO_RATE)
    np.testing.assert_allclose(embedding, expected, rtol=1e-3, atol=1e-2)


def test_audio_at_another_rate(folder):
    embedding = MusicCoCa(folder, DIM, LEVELS).encode_audio(np.zeros((4800, 2), np.float32), 48000)
    assert np.abs(embedding).max() < 1e-3


@pytest.mark.parametrize("active", [None, 6])
def test_codes(folder, active):
    embedding = np.abs(RNG.normal(size=DIM)).astype(np.float32)
    expected = (SMALL.codes @ embedding).astype(np.int32)
    if active is not None:
        expected[active:] = -1
    encoder = MusicCoCa(folder, DIM, LEVELS, active_levels=active)
    assert (encoder.quantise(embedding) == expected).all()


@pytest.mark.parametrize("active", [None, 6])
def test_a_prompt_may_be_codes(folder, active):
    """They are in force alone; beside other prompts, with which they cannot be blended, not."""
    encoder = MusicCoCa(folder, DIM, LEVELS, active_levels=active)
    told = [1023, *range(LEVELS - 1)]
    expected = told[:active] + [-1] * (LEVELS - (active or LEVELS))
    codes = encoder.encode_text("musiccoca:" + ", ".join(map(str, told)))
    assert codes.tolist() == expected
    slots, weights = StyleSlots(encoder, LEVELS), [1.0] * 6
    slots.replace({2: codes})
    assert slots.codes(weights).tolist() == expected
    other = np.abs(encoder.encode_text("jazz"))
    slots.replace({0: codes, 2: other})
    assert (slots.codes(weights) == encoder.quantise(other)).all()
    slots.replace({0: codes, 2: codes})
    assert (slots.codes(weights) == -1).all()


@pytest.mark.parametrize("codes", ["", "1,2", "1," * 11 + "1024", "1," * 11 + "-1", "a," * 12])
def test_codes_that_are_none_are_refused(folder, codes):
    with pytest.raises(BundleError, match="takes 12 numbers"):
        MusicCoCa(folder, DIM, LEVELS).encode_text("musiccoca:" + codes)


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(BundleError, match=r"text_encoder\.tflite is missing"):
        MusicCoCa(tmp_path, DIM, LEVELS).encode_text("jazz")
    SMALL.write(tmp_path)
    (tmp_path / musiccoca.QUANTIZER).unlink()
    with pytest.raises(BundleError, match=r"quantizer\.tflite is missing"):
        MusicCoCa(tmp_path, DIM, LEVELS).encode_text("jazz")  # not first when it is played
    (tmp_path / musiccoca.TEXT_ENCODER).write_bytes(b"not a model")
    with pytest.raises(BundleError, match="not a usable TFLite file"):
        MusicCoCa(tmp_path, DIM, LEVELS).encode_text("jazz")


def test_wrong_width_is_noticed(folder):
    with pytest.raises(BundleError, match="no embedding of 9 numbers"):
        MusicCoCa(folder, DIM + 1, LEVELS).encode_text("jazz")
