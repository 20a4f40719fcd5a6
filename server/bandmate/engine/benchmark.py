# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a model's frames on this machine, and the reference implementation's beside it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bandmate.engine import blas
from bandmate.engine.budget import example_controls
from bandmate.engine.loading import load_on_fast_blas
from bandmate.engine.precision import settle
from bandmate.errors import BandmateError
from bandmate.models.bundle import Bundle
from bandmate.models.interface import Model
from bandmate.models.registry import check_weights

if TYPE_CHECKING:
    from bandmate.models.mrt2.files import OfficialFiles

WARM_UP_FRAMES = 5
REFERENCE_TIMEOUT_S = 3600  # a frame takes seconds, on busy machines minutes


class BenchmarkError(BandmateError):
    """A benchmark that cannot be run."""


def has_weights(bundle: Bundle) -> bool:
    """Whether the model's weights are here."""
    try:
        check_weights(bundle)
    except BandmateError:
        return False
    return True


def load_for_benchmark(bundle: Bundle, precision: str) -> Model:
    """The model in a form; with random weights where the real ones are not here."""
    if has_weights(bundle):
        return load_on_fast_blas(bundle, precision=precision)[0]
    from bandmate.models.depthformer.linear import WeightFormat
    from bandmate.models.mrt2 import loading

    return loading.load(bundle, WeightFormat.named(precision), random=True)


def settled_precision(bundle: Bundle, option: str | None) -> str:
    """The precision to time a model with, see `engine.precision.settle`."""
    known = has_weights(bundle)

    def load(name: str) -> Generator[None, None, tuple[Model, None]]:
        yield
        return load_for_benchmark(bundle, name), None

    steps = settle(bundle, option, load, remember=known)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value)


def frame_times(model: Model, bundle: Bundle, frames: int, sessions: int) -> dict[str, list[float]]:
    """Milliseconds of each measured step, by part.

    `frame` is the whole; models that consist of a language model and a codec also give `language`
    and `codec`.
    """
    from bandmate.models.language_model import CodecLanguageModel, SessionState

    states = [model.init_state() for _ in range(sessions)]
    times: dict[str, list[float]] = {"frame": []}
    for index in range(WARM_UP_FRAMES + frames):
        controls = [
            replace(example_controls(bundle, index), seed=session) for session in range(sessions)
        ]
        begin = time.perf_counter()
        if isinstance(model, CodecLanguageModel):
            codes, language = model.generate(controls, [state.language for state in states])
            middle = time.perf_counter()
            _, codec = model.codec.decode(codes, [state.codec for state in states])
            states = [SessionState(*pair) for pair in zip(language, codec, strict=True)]
            parts = {"language": middle - begin, "codec": time.perf_counter() - middle}
        else:
            _, states = model.step(controls, states)
            parts = {}
        parts["frame"] = time.perf_counter() - begin
        if index >= WARM_UP_FRAMES:
            for name, seconds in parts.items():
                times.setdefault(name, []).append(seconds * 1e3)
    return times


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 99th percentile and best of some times."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50": round(p50, 3), "p99": round(p99, 3), "min": round(min(milliseconds), 3)}


def benchmark(
    bundle: Bundle, frames: int, sessions: int, precision: str | None = None
) -> dict[str, Any]:
    """Loads and times a model, in the precision asked for or the best.

    Returns:
        JSON object with `frame_ms` {p50, p99, min}, `parts_ms`, `rtf` (time per audio time; below
        1 is live), peak memory and what it ran on.
    """
    status = blas.activate()
    settled = settled_precision(bundle, precision)
    begin = time.perf_counter()
    model = load_for_benchmark(bundle, settled)
    load_s = time.perf_counter() - begin
    times = frame_times(model, bundle, frames, sessions)
    frame = summary(times.pop("frame"))
    frame_s = bundle.frame.frame_samples / bundle.frame.sample_rate
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes or KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return {
        "model": bundle.name,
        "frames": frames,
        "sessions": sessions,
        "random_weights": not has_weights(bundle),
        "precision": settled,
        "blas": status.name,
        "load_s": round(load_s, 2),
        "frame_ms": frame,
        "parts_ms": {name: summary(part) for name, part in times.items()},
        "rtf": round(frame["p50"] / 1e3 / frame_s, 4),
        "peak_memory_mib": round(peak / 2**20),
    }


def reference_benchmark(
    bundle: Bundle, python: Path, frames: int, bits: int
) -> dict[str, Any] | None:
    """Times the reference implementation of the same model.

    It runs in a process of its own, as it is installed: without our BLAS. Where the real weights
    are not here it gets random ones, in a temporary file.

    Args:
        python: an interpreter that may have `magenta-rt` installed.
        bits: 8 or 4 for quantised weights, 0 for bfloat16.

    Returns:
        {version, precision, frame_ms, peak_memory_mib}, or None where it is not installed.

    Raises:
        BenchmarkError: it is installed and fails.
    """
    from bandmate.models.mrt2 import files

    if not _importable(python, "magenta_rt"):
        return None
    with tempfile.TemporaryDirectory(prefix="bandmate-bench-") as folder:
        environment = dict(os.environ)
        if not files.official_files().checkpoint(bundle.name).is_file():
            _write_random(bundle, files.OfficialFiles(Path(folder) / files.FOLDER))
            environment[files.HOME_VARIABLE] = folder
        script = Path(__file__).with_name("reference_benchmark.py")
        command = [str(python), str(script), bundle.name, str(frames), str(bits)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=REFERENCE_TIMEOUT_S,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"The reference took over {REFERENCE_TIMEOUT_S} s.") from error
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise BenchmarkError(f"The reference cannot be timed: {reason}")
    result: dict[str, Any] = json.loads(lines[-1])
    times = result.pop("milliseconds")
    return {**result, "frame_ms": summary(times)}


def _importable(python: Path, module: str) -> bool:
    check = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
    try:
        return subprocess.run([str(python), "-c", check], check=False).returncode == 0
    except OSError as error:
        raise BenchmarkError(f"{python} cannot be run ({error.strerror}).") from error


def _write_random(bundle: Bundle, target: OfficialFiles) -> None:
    """A checkpoint of random weights where the reference looks for it."""
    import mlx.core as mx

    from bandmate.models.mrt2 import loading
    from bandmate.models.mrt2.random_weights import random_tensors

    assert bundle.depthformer is not None
    assert bundle.conditioning is not None
    codec = loading.codec_spec(bundle.codec, bundle.frame.sample_rate, str(bundle.path))
    shapes = loading.checkpoint_shapes(bundle.depthformer, bundle.conditioning, codec)
    path = target.checkpoint(bundle.name)
    path.parent.mkdir(parents=True)
    tensors = {name: t.astype(mx.bfloat16) for name, t in random_tensors(shapes).items()}
    mx.save_safetensors(str(path), tensors)
