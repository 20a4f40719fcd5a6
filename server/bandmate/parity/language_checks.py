# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the language model: one file is one recorded run."""

from __future__ import annotations

from collections.abc import Mapping

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from bandmate.models.depthformer.cpu import CpuRunner, usable
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.depthformer.vocabulary import RESERVED
from bandmate.models.mrt2.codec import AnyDecoder, to_pcm16
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer
from bandmate.parity.recording import Recorded, Run, play, play_native, record, reference_keys
from bandmate.parity.report import BFLOAT16_TOLERANCE, FLOAT32_TOLERANCE, FileReport

Arrays = Mapping[str, NDArray[np.float32]]
PCM_GAIN = 0.5

FLOAT32 = WeightFormat(mx.float32)
BFLOAT16 = WeightFormat(mx.bfloat16)

# How each file was made: weight format, settings.
RUNS: dict[str, tuple[WeightFormat, Run]] = {
    "greedy_fp32.npz": (FLOAT32, Run()),
    "sampled_fp32.npz": (FLOAT32, Run(temperature=1.3, top_k=8)),
    "cfg_greedy_fp32.npz": (FLOAT32, Run(scales=(3.0, 1.0))),
    "cfg_sampled_fp32.npz": (FLOAT32, Run(temperature=1.1, top_k=6, scales=(1.4, -0.5))),
    "forced_fp32.npz": (FLOAT32, Run()),
    "greedy_bf16.npz": (BFLOAT16, Run()),
    "teacher_bf16.npz": (BFLOAT16, Run()),
    "teacher_q8.npz": (WeightFormat(mx.bfloat16, 8), Run()),
    "teacher_q4.npz": (WeightFormat(mx.bfloat16, 4), Run()),
}
# Compared number by number where a file has them.
_CLOSE = ("encoder_embedding", "encoder", "temporal_in", "temporal_out")
_EXACT = ("codes", "rng_before")


def check_run(
    name: str, model: Depthformer, tokens: NDArray[np.int32], theirs: Arrays
) -> FileReport:
    """Runs the model as the file `name` was made and compares everything the file holds."""
    form, run = RUNS[name]
    exact = form.dtype == mx.float32
    report = FileReport(FLOAT32_TOLERANCE if exact else BFLOAT16_TOLERANCE)
    unique = np.asarray(theirs["tokens_unique"], np.int32)
    size = model.spec.codebook_size
    codes = (unique - RESERVED) % size
    forced = np.empty((0, model.spec.codebooks), np.int32)
    if name.startswith("teacher"):
        run = Run(teacher=codes)
    if "forced_unique" in theirs:
        forced = (np.asarray(theirs["forced_unique"], np.int32) - RESERVED) % size

    keys = reference_keys(theirs, run)
    ours = record(model, tokens, run, forced, keys)
    frames = len(tokens) if exact or run.teacher is not None else _agreeing(ours["codes"], codes)
    compared = [key for key in theirs if key in _CLOSE or key.startswith("temporal_x")]
    for key in compared:
        report.close(key, ours[key][: frames + 1], theirs[key][: frames + 1])
    # The recorded vectors include the reserved ids, which cannot be picked and are not computed.
    logits = theirs["depth_logits"][..., RESERVED:]
    if frames:
        report.close("depth_logits", ours["depth_logits"][:frames], logits[:frames])
    if exact:
        for key in (key for key in _EXACT if key in theirs):
            report.equal(key, ours[key], theirs[key])
        ids = np.array(model.ids(mx.array(ours["codes"].astype(np.int32))))
        report.equal("tokens_unique", ids, unique)
        report.equal("step", play(model, tokens, run, forced, keys[0]), codes)
    # On CPUs, MLX adds up quantised products in bfloat16 and the native runner in float32: these
    # files tell the one from the other. Unit tests hold the native one to the same weights' values.
    if usable(model) and not form.bits and (exact or run.teacher is not None):
        _check_native(report, model, tokens, run, forced, theirs)
    if "gumbel_frame0_cb0" in theirs:
        _check_noise(report, model, theirs)
    return report


def _agreeing(ours: NDArray[np.float32], theirs: NDArray[np.int32]) -> int:
    """Frames before the first with a different code: after it the two runs have different pasts."""
    different = np.flatnonzero((ours != theirs).any(axis=1))
    return int(different[0]) if len(different) else len(theirs)


def _check_native(
    report: FileReport,
    model: Depthformer,
    tokens: NDArray[np.int32],
    run: Run,
    forced: NDArray[np.int32],
    theirs: Arrays,
) -> None:
    """What is played on CPUs: the same tokens from the same hidden vectors and logits."""
    ours = play_native(CpuRunner(model), model, tokens, run, forced, reference_keys(theirs, run)[0])
    size, cap = model.spec.codebook_size, model.spec.soft_cap
    if run.teacher is None:
        unique = np.asarray(theirs["tokens_unique"], np.int32)
        report.equal("native step", ours["codes"], (unique - RESERVED) % size)
    # Those of forced frames are not kept: they are not computed for their own sake.
    report.close("native temporal_out", ours["temporal_out"], theirs["temporal_out"][len(forced) :])
    starts = range(RESERVED, model.vocabulary, size)
    raw = theirs["depth_logits"]
    logits = np.stack([raw[:, k, ..., at : at + size] for k, at in enumerate(starts)], axis=1)
    report.close("native logits", ours["logits"], cap * np.tanh(logits / cap))


def _check_noise(report: FileReport, model: Depthformer, theirs: Arrays) -> None:
    key = mx.array(theirs["rng_before"][0, 0])
    for codebook in range(2):
        name = f"gumbel_frame0_cb{codebook}"
        noise = mx.random.gumbel((1, 1, model.vocabulary), key=key)
        report.close(name, np.array(noise)[0, 0], theirs[name])
        key = mx.random.split(key)[1]


def check_codec_output(
    report: FileReport, ours: Recorded, theirs: Arrays, quantizer: Quantizer, decoder: AnyDecoder
) -> None:
    """Decodes a run's codes frame by frame and compares the sound, as floats and as int16."""
    state = decoder.init_state(1)
    vectors = quantizer.decode(mx.array(ours["codes"].astype(np.int32)))
    report.close("codec_embedding", np.array(vectors)[:, None], theirs["codec_embedding"])
    audio = []
    for vector in vectors:
        frame, state = decoder(vector[None, None], state)
        mx.eval(frame, state)
        audio.append(frame[0])
    waveform = mx.stack(audio)
    report.close("waveform", np.array(waveform), theirs["waveform"])
    pcm = np.array(to_pcm16(waveform, PCM_GAIN))
    report.equal("pcm_int16", pcm, theirs["pcm_int16"], within=1)
