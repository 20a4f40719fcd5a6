# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model's codec and style encoder, with the weights that ship."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from bandmate._codec import PhaseIntegrator
from bandmate.models.bundle import Bundle, BundleError, load_bundle
from bandmate.models.pico.codec import MagnitudeCodec
from bandmate.models.pico.features import FeatureExtractor
from bandmate.models.pico.prompt_features import text_buckets
from bandmate.models.pico.style import PicoStyleEncoder
from bandmate.models.pico.synthesis import Synthesiser
from bandmate.models.registry import find_bundle
from bandmate.report.notes import Note
from bandmate.report.onsets import measure_onsets


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return find_bundle("pico")


@pytest.fixture(scope="module")
def codec(bundle: Bundle) -> MagnitudeCodec:
    return MagnitudeCodec.load(bundle)


@pytest.fixture(scope="module")
def style(bundle: Bundle) -> PicoStyleEncoder:
    return PicoStyleEncoder.load(bundle)


def resynthesise(codec: MagnitudeCodec, audio: np.ndarray) -> np.ndarray:
    """Audio [samples] through the feature and back, no quantiser: the ceiling of the codec."""
    features = FeatureExtractor(codec.spec)(audio, codec.spec.synthesis.sample_rate)
    levels = features * (codec.spec.log_high - codec.spec.log_low) + codec.spec.log_low
    synthesiser = Synthesiser(codec.spec.synthesis)
    states, frames = [synthesiser.init_state()], []
    for level in levels.astype(np.float32):
        sides, states = synthesiser.frames(level[None], states)
        frames.append(sides[0].mean(axis=0))
    return np.concatenate(frames)


def test_a_tone_keeps_its_frequency_and_level(codec: MagnitudeCodec, bundle: Bundle) -> None:
    rate = bundle.frame.sample_rate
    time = np.arange(rate * 2) / rate
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    out = resynthesise(codec, tone)[rate // 2 : rate // 2 + rate]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert np.std(out) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_an_impulse_comes_out_as_late_as_the_bundle_states(
    codec: MagnitudeCodec, bundle: Bundle
) -> None:
    assert codec.spec.synthesis.delay_samples == bundle.frame.delay_samples
    late_by = []
    for place in range(20_000, 24_000, 371):
        audio = np.zeros(bundle.frame.sample_rate, np.float32)
        audio[place] = 0.9
        energy = np.convolve(resynthesise(codec, audio) ** 2, np.ones(64), "same")
        late_by.append(int(energy.argmax()) - place)
    three_ms, seven_ms = 144, 336
    assert abs(np.median(late_by) - bundle.frame.delay_samples) <= three_ms
    assert np.ptp(late_by) <= 2 * seven_ms


@pytest.mark.parametrize("pitch", [57, 69, 81])
def test_a_tone_begins_where_it_began_anywhere_in_a_hop(
    codec: MagnitudeCodec, bundle: Bundle, pitch: int
) -> None:
    rate = bundle.frame.sample_rate
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    errors = []
    for place in range(20_000, 20_000 + 2 * codec.spec.synthesis.hop, 97):
        time = np.arange(rate - place) / rate
        audio = np.zeros(rate, np.float32)
        audio[place:] = 0.3 * np.sin(2 * np.pi * hertz * time) * np.exp(-time / 0.4)
        out = resynthesise(codec, audio)[bundle.frame.delay_samples :]
        note = Note(start=place / rate, end=0.9, pitch=pitch)
        errors += list(measure_onsets(out, rate, [note]).errors_ms)
    assert len(errors) == 10
    assert np.abs(errors).max() <= 5
    assert abs(np.median(errors)) <= 2


def test_frame_borders_make_no_clicks(codec: MagnitudeCodec, bundle: Bundle) -> None:
    rate, size = bundle.frame.sample_rate, bundle.frame.frame_samples
    time = np.arange(rate * 2) / rate
    out = resynthesise(codec, (0.3 * np.sin(2 * np.pi * 220 * time)).astype(np.float32))
    bend = np.abs(np.diff(out, 2))[size * 10 : size * 40]
    places = np.arange(len(bend)) % size
    at_borders = bend[(places < 3) | (places > size - 4)].max()
    assert at_borders <= 1.2 * bend.max(initial=0, where=(places > 10) & (places < size - 10))


def test_streams_in_a_batch_sound_as_they_do_alone(codec: MagnitudeCodec, bundle: Bundle) -> None:
    assert bundle.depthformer is not None
    rng = np.random.default_rng(3)
    books, size = bundle.depthformer.codebooks, bundle.depthformer.codebook_size
    codes = rng.integers(0, size, (5, 3, books)).astype(np.int32)
    together = [codec.init_state() for _ in range(3)]
    alone = codec.init_state()
    for frame in codes:
        audio, together = codec.decode(frame, together)
        single, (alone,) = codec.decode(frame[1:2], [alone])
        np.testing.assert_array_equal(audio[1], single[0])
        assert audio.shape == (3, bundle.frame.frame_samples, bundle.frame.channels)
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() <= 1


def test_codes_of_low_bands_tell_how_loud_they_are(codec: MagnitudeCodec, bundle: Bundle) -> None:
    assert bundle.depthformer is not None
    spec, levels = codec.spec, codec.code_levels()
    decibels = (spec.log_high - spec.log_low) * 20 / np.log(10)
    books, size = bundle.depthformer.codebooks, bundle.depthformer.codebook_size
    assert levels.shape == (books, size)
    ends = np.cumsum([0] + [g.values for g in spec.groups])
    for book in (0, 7):
        number = spec.code_groups[book]
        group = spec.groups[number]
        latent = np.zeros((2, ends[-1]), np.float32)
        latent[1, ends[number] : ends[number + 1]] = codec._tensors[f"codebooks.{book}"][5]
        without, with_code = codec.features(latent)[:, :, group.first : group.end].mean(axis=(1, 2))
        assert levels[book, 5] == pytest.approx((with_code - without) * decibels, abs=1e-3)
        assert np.std(levels[book]) > 1
    assert not levels[len(spec.code_groups) :].any(), "places are not loud"
    assert not levels[20].any(), "high bands may change freely"


def test_the_phase_integrator_refuses_arrays_that_do_not_fit() -> None:
    integrator = PhaseIntegrator(9, 4.0, 16.0, 10.0, 9.0, 16.0, 4.0, 1.2, 2)
    hops, rows = np.zeros((2, 4, 9), np.float32), np.zeros((2, 9), np.float32)
    fits = [hops, hops, rows, rows, rows, hops.copy(), rows.copy()]
    integrator.integrate(*fits)
    for place in range(len(fits)):
        wrong = list(fits)
        wrong[place] = np.zeros((*wrong[place].shape[:-1], 8), np.float32)
        with pytest.raises(ValueError, match="streams, hops, bins"):
            integrator.integrate(*wrong)


def test_decoding_leaves_the_old_state_alone(codec: MagnitudeCodec, bundle: Bundle) -> None:
    assert bundle.depthformer is not None
    codes = np.full((1, bundle.depthformer.codebooks), 7, np.int32)
    state = codec.init_state()
    first, _ = codec.decode(codes, [state])
    again, _ = codec.decode(codes, [state])
    np.testing.assert_array_equal(first, again)


def test_the_encoder_finds_codes_that_sound_like_the_clip(
    codec: MagnitudeCodec, bundle: Bundle
) -> None:
    rate = bundle.frame.sample_rate
    time = np.arange(rate) / rate
    tone = sum(0.2 / n * np.sin(2 * np.pi * 330 * n * time) for n in (1, 2, 3))
    features = FeatureExtractor(codec.spec)(tone.astype(np.float32), rate)
    encode, state, frames = codec.encoder(), codec.init_state(), []
    for frame in features:
        audio, (state,) = codec.decode(encode(frame)[None], [state])
        frames.append(audio[0, :, 0])
    out = np.concatenate(frames)[rate // 4 :]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    peak = spectrum.argmax() * rate / len(out)
    assert abs(peak - 330) < 10
    assert 0.5 < np.std(out) / np.std(tone) < 2


def test_a_steady_sound_keeps_its_codes(codec: MagnitudeCodec) -> None:
    rng = np.random.default_rng(5)
    shape = (codec.spec.synthesis.hops_per_frame, codec.spec.synthesis.bands)
    steady = np.full(shape, 0.4, np.float32)
    encode = codec.encoder()
    runs = [encode(steady + rng.normal(0, 0.004, shape).astype(np.float32)) for _ in range(20)]
    changes = np.mean(np.diff(np.stack(runs[5:]), axis=0) != 0)
    assert changes < 0.2


def test_words_find_their_neighbours(style: PicoStyleEncoder) -> None:
    def near(a: str, b: str) -> float:
        return float(style.encode_text(a) @ style.encode_text(b))

    assert near("grand piano", "a grnad pianoo") > 0.7
    assert near("vibraphone", "soft vibes") > near("vibraphone", "punchy drum kit") + 0.3
    assert near("acoustic guitar", "gutar") > near("acoustic guitar", "church organ")


def test_texts_lie_among_sounds(style: PicoStyleEncoder, bundle: Bundle) -> None:
    sounds = load_file(bundle.weights["style"])["sounds"]
    for text in ("grand piano", "vibrafone at night", "a hamond organ", "q7 zzx"):
        assert (sounds @ style.encode_text(text)).max() > 0.9, text


def test_silence_stays_silent_over_any_floor(codec: MagnitudeCodec) -> None:
    spec = codec.spec
    floors = spec.synthesis.log_floors()
    assert np.all(np.diff(floors) <= 1e-6), "high bands have the lower floor"
    silent = (floors - spec.log_low) / (spec.log_high - spec.log_low)
    features = np.tile(silent, (1, spec.synthesis.hops_per_frame, 1)).astype(np.float32)
    places = [np.zeros((spec.synthesis.stereo_regions, 2), np.float32)]
    audio, _ = codec.sound(features, places, [codec.init_state()])
    assert np.abs(audio).max() < 1e-5


@pytest.mark.parametrize("text", ["", "   ", "!?", "日本", "é" * 3000])
def test_any_text_has_an_embedding(style: PicoStyleEncoder, text: str) -> None:
    embedding = style.encode_text(text)
    assert embedding.shape == (style.dim,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    assert len(text_buckets(text)) > 0


def test_codes_are_in_range_and_blends_have_codes(style: PicoStyleEncoder, bundle: Bundle) -> None:
    assert bundle.conditioning is not None
    blend = 0.5 * style.encode_text("piano") + 0.5 * style.encode_text("strings")
    codes = style.quantise(blend)
    assert codes.shape == (bundle.conditioning.style_levels,)
    assert codes.dtype == np.int32
    assert codes.min() >= 0
    assert codes.max() < bundle.conditioning.style_codes


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_sound_has_an_embedding_at_any_rate(style: PicoStyleEncoder, rate: int) -> None:
    time = np.arange(rate * 2) / rate
    wave = sum(np.sin(2 * np.pi * 220 * n * time) / n for n in range(1, 8)) * np.exp(-3 * time)
    embedding = style.encode_audio(np.stack([wave, wave], 1).astype(np.float32) * 0.3, rate)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_a_silent_or_short_audio_prompt_is_refused_with_advice(style: PicoStyleEncoder) -> None:
    with pytest.raises(ValueError, match="silent"):
        style.encode_audio(np.zeros((48_000, 2), np.float32), 48_000)
    with pytest.raises(ValueError, match=r"0\.2 s"):
        style.encode_audio(np.ones((100, 2), np.float32), 48_000)


def test_a_broken_codec_file_is_named(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "pico"
    shutil.copytree(bundle.path, folder)
    (folder / "codec.safetensors").write_bytes(b"not tensors")
    with pytest.raises(BundleError, match=r"codec\.safetensors"):
        MagnitudeCodec.load(load_bundle(folder))


def test_a_codec_description_that_does_not_fit_names_the_tensor(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "pico"
    shutil.copytree(bundle.path, folder)
    raw = json.loads((folder / "bundle.json").read_text())
    raw["codec"]["groups"][0]["values"] += 8
    (folder / "bundle.json").write_text(json.dumps(raw))
    with pytest.raises(BundleError, match=r"basis\.0\.vectors"):
        MagnitudeCodec.load(load_bundle(folder))


def test_the_codec_and_the_yardstick_leave_mlx_to_whoever_activates_the_blas():
    """MLX must be imported after it: a product is slow for good otherwise."""
    program = (
        "import sys, bandmate.models.pico.codec, bandmate.evaluation.yardstick\n"
        "sys.exit(any(name.split('.')[0] == 'mlx' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_steps_between_frames_are_joined_and_attacks_are_not(
    codec: MagnitudeCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[np.ndarray] = []
    monkeypatch.setattr(
        codec, "sound", lambda features, *rest: heard.append(features) or (None, rest[1])
    )
    spec = codec.spec
    codes = np.zeros((1, len(spec.code_groups) + spec.stereo_books), np.int32)
    still = codec.init_state()
    codec.decode(codes, [still])
    decibels = (spec.log_high - spec.log_low) * 20 / np.log(10)
    codec.decode(codes, [replace(still, last=still.last - 10)])  # so far that nothing is joined
    first = heard[-1][0, 0].copy()
    # what a first hop steps by, when the last one lay so far under it
    for step, kept in ((4.0, 2.0), (-4.0, -2.0), (6.0, 5.0), (9.0, 9.0), (-9.0, -9.0)):
        codec.decode(codes, [replace(still, last=first - np.float32(step / decibels))])
        moved = (heard[-1][0, 0] - first) * decibels
        np.testing.assert_allclose(moved[:40], kept - step, atol=1e-2, err_msg=str(step))
        np.testing.assert_allclose(moved[60:], 0, atol=1e-3, err_msg=str(step))
