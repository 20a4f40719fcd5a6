# SPDX-License-Identifier: GPL-3.0-or-later
"""The codec by itself, on clips it has not seen, beside a public codec at about its bit rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bandmate.evaluation import distances, music, source
from bandmate.evaluation.codec_stages import CodecStages

Floats = NDArray[np.float32]

CLIPS = {  # a held-out piece and the family that plays it
    "piano_mixed": "grand piano",
    "guitar_chords": "guitar",
    "mallets_mono": "mallets",
    "electric_piano_chords": "electric piano",
    "guitar_mono": "strings",
    "piano_chords": "organ",
    "drums_groove": "drums",
}
QUICK_CLIPS = ("piano_mixed", "drums_groove")
DUO = "duo"  # a guitar on the left, mallets on the right
DUO_NEAR, DUO_FAR = 0.9, 0.3
SECONDS = 10.0
COMPARED = ("features", "codec", "opus", "shuffled")


def grade(
    stages: CodecStages, quick: bool, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Codec and Opus against the source.

    Args:
        folder: the sounds are written there as codec_CLIP_source.wav and codec_CLIP.wav.

    Returns:
        bits_per_second: of codec and opus.
        mean: for features (no codes), codec, opus and shuffled (the same codes in another order,
            which must be far worse) the mean distances; see `distances.spectral`.
        clips: the same for each clip, with lines_db of features and codec (see `frame_lines`),
            side_db of source, codec and opus and the balance_error_db of the last two.
        perplexity: for each codebook, over frames.
    """
    rows, all_codes, opus_bits = [], [], []
    for name, family, audio in clips(quick):
        say(f"codec: {name}, {family}")
        codes = stages.codes(audio)
        public, bits = distances.opus(audio, source.SAMPLE_RATE)
        shuffled = np.random.default_rng(0).permutation(codes)
        sounds = {
            "features": stages.stage("features", audio),
            "codec": stages.decode(codes, len(audio)),
            "opus": public,
            "shuffled": stages.decode(shuffled, len(audio)),
        }
        rows.append({"clip": name, "family": family, **compare(audio, sounds, stages)})
        for stem, sound in (("_source", audio), ("", sounds["codec"])):
            soundfile.write(folder / f"codec_{name}{stem}.wav", sound, source.SAMPLE_RATE)
        all_codes.append(codes)
        opus_bits.append(bits)
    return {
        "bits_per_second": {"codec": stages.bits_per_second, "opus": float(np.mean(opus_bits))},
        "mean": {
            key: {m: float(np.mean([row[key][m] for row in rows])) for m in rows[0][key]}
            for key in COMPARED
        },
        "clips": rows,
        "frames": sum(map(len, all_codes)),
        "perplexity": distances.perplexity(np.concatenate(all_codes), stages.codec.code_size),
    }


def clips(quick: bool) -> list[tuple[str, str, Floats]]:
    """(name, family, audio [samples, 2]) of what the codec is graded on."""
    samples = round(SECONDS * source.SAMPLE_RATE)
    found = [
        (name, family, source.play(music.piece(name), source.plainest(family))[:samples])
        for name, family in CLIPS.items()
        if not quick or name in QUICK_CLIPS
    ]
    left, right = (
        source.play(music.piece(piece), source.plainest(family))[:samples].mean(axis=1)
        for piece, family in (("guitar_mono", "guitar"), ("mallets_mixed", "mallets"))
    )
    size = min(len(left), len(right))
    near = DUO_NEAR * left[:size] + DUO_FAR * right[:size]
    far = DUO_FAR * left[:size] + DUO_NEAR * right[:size]
    return [*found, (DUO, "guitar and mallets", np.stack([near, far], axis=1))]


def compare(audio: Floats, sounds: dict[str, Floats], stages: CodecStages) -> dict[str, Any]:
    """Figures of one clip; see `grade`."""
    rate, mono = source.SAMPLE_RATE, audio.mean(axis=1)
    row: dict[str, Any] = {
        key: distances.spectral(mono, sound.mean(axis=1), rate) for key, sound in sounds.items()
    }
    row["lines_db"] = {
        key: frame_lines(mono, sounds[key].mean(axis=1), rate, stages)
        for key in ("features", "codec")
    }
    row["side_db"] = {
        "source": distances.side_db(audio),
        **{key: distances.side_db(sounds[key]) for key in ("codec", "opus")},
    }
    row["balance_error_db"] = {
        key: distances.balance_error_db(audio, sounds[key], rate) for key in ("codec", "opus")
    }
    return row


def frame_lines(mono: Floats, coded: Floats, rate: int, stages: CodecStages) -> dict[str, float]:
    """How much stronger than the source's the lines are that the codec's frames and hops make in
    the envelope's spectrum, in dB; under 6 is chance."""
    return {
        name: distances.line_db(coded, rate, hertz) - distances.line_db(mono, rate, hertz)
        for name, hertz in (
            ("frame", rate / stages.frame.frame_samples),
            ("hop", rate / stages.hop),
        )
    }
