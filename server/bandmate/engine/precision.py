# SPDX-License-Identifier: GPL-3.0-or-later
"""In which form a model's weights are held: as the user says, or what measuring shows to be best.

Processors take smaller weights well where reading them from memory takes the time; graphics
processors multiply bfloat16 and 8-bit weights in hardware. Which form is quickest differs from
machine to machine, so the likely ones are loaded and timed once. Four bits are never chosen by
themselves: they can be heard.
"""

from __future__ import annotations

import gc
import logging
import os
import statistics
from collections.abc import Callable, Generator
from typing import Any

from bandmate.engine import blas, budget
from bandmate.errors import BandmateError
from bandmate.models.bundle import AUTO_PRECISION, PRECISIONS, Bundle
from bandmate.models.interface import Model, StyleEncoder
from bandmate.models.registry import has_large_products, weights_are_fixed

VARIABLE = "BANDMATE_PRECISION"
CHOICES = (AUTO_PRECISION, *PRECISIONS)
FRAMES = 12  # timed for each form
FIXED = "exported"  # what an exported function has, whatever is asked for
WORTH = 0.95  # a coarser form must take less than this part of the finer one's time

log = logging.getLogger(__name__)


class PrecisionError(BandmateError):
    """A precision that does not exist was asked for."""


def wanted(bundle: Bundle, option: str | None = None) -> str:
    """What was asked for: by an option, else BANDMATE_PRECISION, else the bundle.

    Raises:
        PrecisionError: it is not one of `CHOICES`.
    """
    name = option or os.environ.get(VARIABLE) or bundle.precision
    if name not in CHOICES:
        raise PrecisionError(f"There is no precision {name!r}. Choose from {', '.join(CHOICES)}.")
    return name


def candidates(bundle: Bundle) -> tuple[str, ...]:
    """The forms worth measuring on this machine, finest first. May import MLX."""
    if bundle.depthformer is None:
        return (PRECISIONS[0],)
    blas.activate()
    import mlx.core as mx

    from bandmate.models.depthformer import cpu

    on_cpu = mx.default_device() == mx.Device(mx.cpu)
    if not has_large_products(bundle):
        # Nothing to measure: native code computes in float32 all the same, and half the memory to
        # read is a quarter of the bundled model's time.
        return ("bfloat16",) if on_cpu and cpu.BUILT else (PRECISIONS[0],)
    if on_cpu:
        # MLX itself multiplies 8-bit weights more slowly than any other form on CPUs.
        return ("float32", "bfloat16", "int8") if cpu.BUILT else ("float32", "bfloat16")
    return ("bfloat16", "int8")


def settle(
    bundle: Bundle,
    option: str | None,
    load: Callable[[str], Generator[None, None, tuple[Model, StyleEncoder | None]]],
    *,
    remember: bool = True,
) -> Generator[None, None, str]:
    """The precision to load a bundle with; measures only where that was left open and is unknown.

    It is FIXED for an exported function.

    Runs on the inference thread and yields between frames, so that streams are stepped meanwhile.
    One model at a time is in memory.

    Args:
        option: see `wanted`.
        load: loads the bundle in a form, piece by piece.
        remember: keep the result beside the budgets.

    Raises:
        PrecisionError: see `wanted`.
        BundleError: the model cannot be loaded.
    """
    name = wanted(bundle, option)
    if weights_are_fixed(bundle):
        return FIXED
    if name != AUTO_PRECISION:
        return name
    names = candidates(bundle)
    if len(names) == 1:
        return names[0]
    known = _remembered(bundle, names)
    if known is not None:
        return known
    medians = {}
    for name in names:
        times = []
        model, _ = yield from load(name)
        for milliseconds in budget.measure(model, bundle, FRAMES):
            times.append(milliseconds)
            yield
        medians[name] = statistics.median(times)
        del model
        gc.collect()  # the next form shall not be in memory beside this one
    chosen = best(medians)
    log.info("%s: %s of %s ms per frame", bundle.name, chosen, medians)
    if remember:
        rounded = {name: round(value, 3) for name, value in medians.items()}
        try:
            budget.store(bundle, None, precision={"chosen": chosen, "frame_ms": rounded})
        except budget.EngineFileError as error:
            log.warning("%s", error)  # it is measured again next time
    return chosen


def best(medians: dict[str, float]) -> str:
    """The form to use, from each form's time; they are given finest first."""
    names = list(medians)
    chosen = names[0]
    for name in names[1:]:
        if medians[name] < WORTH * medians[chosen]:
            chosen = name
    return chosen


def _remembered(bundle: Bundle, names: tuple[str, ...]) -> str | None:
    """What was chosen before among the same forms; another device has others."""
    entry: Any = (budget.stored_entry(bundle) or {}).get("precision")
    if not isinstance(entry, dict) or not isinstance(entry.get("frame_ms"), dict):
        return None
    chosen = entry.get("chosen")
    return chosen if chosen in names and tuple(entry["frame_ms"]) == names else None
