# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of SpectroStream: whole clips and streams, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.mrt2.codec import AnyDecoder
from bandmate.models.mrt2.spectrostream.decoder import Decoder
from bandmate.models.mrt2.spectrostream.encoder import Encoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer
from bandmate.parity.report import FLOAT32_TOLERANCE, FileReport

Arrays = Mapping[str, NDArray[np.float32]]


def check_codec(
    quantizer: Quantizer,
    encoder: Encoder,
    decoders: Sequence[AnyDecoder],
    frame_samples: int,
    theirs: Arrays,
) -> FileReport:
    """Compares everything in `spectrostream.npz`; streams with each of the decoders."""
    report = FileReport(FLOAT32_TOLERANCE)
    _check_encoder(report, quantizer, encoder, frame_samples, theirs)
    vectors = quantizer.decode(mx.array(np.asarray(theirs["codes_in"], np.int32)))
    report.close("dec_embedding", np.array(vectors), theirs["dec_embedding"])
    for decoder in decoders:
        if isinstance(decoder, Decoder):
            _check_clip(report, vectors, decoder, frame_samples, theirs)
        _check_stream(report, vectors, decoder, theirs)
    return report


def _check_encoder(
    report: FileReport, quantizer: Quantizer, encoder: Encoder, samples: int, theirs: Arrays
) -> None:
    wave = np.asarray(theirs["wave_in"], np.float32)
    # The recorded spectrogram may be a leading part of the clip's.
    spectrogram = np.array(encoder.spectrogram(mx.array(np.pad(wave, ((0, samples), (0, 0))))))
    stft = theirs["stft_oneshot"]
    report.close("stft_oneshot", spectrogram[: len(stft)], stft)
    vectors = encoder.clip(mx.array(wave))
    report.close("embedding_oneshot", np.array(vectors), theirs["embedding_oneshot"])
    report.equal("codes_oneshot", np.array(quantizer.encode(vectors)), theirs["codes_oneshot"])

    state = encoder.init_state()
    blocks = len(theirs["embedding_stream"])
    silence = blocks * samples - len(wave)
    stream = np.pad(wave, ((0, silence), (0, 0))).reshape(blocks, samples, -1)
    for index, block in enumerate(stream):
        vector, state = encoder.block(mx.array(block), state)
        valid = bool(theirs["embedding_stream_valid"][index])
        if vector is None:
            report.equal("embedding_stream_valid", [valid], [False])
        elif valid:
            report.close("embedding_stream", np.array(vector), theirs["embedding_stream"][index])
            codes = np.array(quantizer.encode(vector[None]))[0]
            report.equal("codes_stream", codes, theirs["codes_stream"][index])


def _check_clip(
    report: FileReport, vectors: mx.array, decoder: Decoder, samples: int, theirs: Arrays
) -> None:
    seen: dict[str, NDArray[np.float32]] = {}

    def keep(name: str, value: mx.array) -> None:
        seen[name] = np.array(value)[0]

    audio, _ = decoder(vectors[None], decoder.init_state(1), keep)
    for name in ("dec_after_input_layer", "dec_after_decoder_0"):
        report.close(name, seen[name][: len(theirs[name])], theirs[name])
    whole = theirs["wave_oneshot"]
    late = len(theirs["codes_in"]) * samples - len(whole)
    hops = len(seen["spectrogram"]) * late // (len(theirs["codes_in"]) * samples)
    expected = theirs["spectrogram_oneshot"]
    ours = seen["spectrogram"][hops : hops + len(expected)]
    report.close("spectrogram_oneshot", ours, expected)
    report.close("wave_oneshot", np.array(audio)[0, late:], whole)


def _check_stream(
    report: FileReport, vectors: mx.array, decoder: AnyDecoder, theirs: Arrays
) -> None:
    # Two sessions side by side, frame by frame, as the engine does it.
    state = decoder.init_state(2)
    frames = []
    for index in range(len(vectors)):
        pair = mx.stack([vectors[index], vectors[-1 - index]])[:, None]
        frame, state = decoder(pair, state)
        mx.eval(frame, state)
        frames.append(np.array(frame)[0])
    report.close("wave_stream", np.concatenate(frames), theirs["wave_stream"])
