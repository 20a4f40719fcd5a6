# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server offers and accepts: models, and segments that fit them."""

from __future__ import annotations

import logging
from pathlib import Path

from bandmate import _protocol as wire
from bandmate.engine import budget
from bandmate.link import messages
from bandmate.link.fields import MessageError
from bandmate.models.bundle import Bundle, BundleError
from bandmate.models.registry import check_weights, find_bundles

log = logging.getLogger(__name__)


def attach_segment(name: str, folder: Path, bundle: Bundle) -> wire.Segment:
    """Maps the segment a plugin names, if it lies in the private folder and fits the model.

    Raises:
        MessageError: it does not.
        _protocol.Error: it is no segment.
    """
    path = Path(name)
    if path.parent != folder or not path.name.startswith("segment-"):
        raise MessageError(
            "bad_segment",
            f"{name!r} is not a segment in {folder}.",
            "Plugin and server must use the same BANDMATE_RUNTIME_DIR.",
        )
    segment = wire.Segment.attach(path)  # its wire.Error is an answer by itself
    frame = bundle.frame
    shape = (segment.sample_rate, segment.channels, segment.frame_samples)
    wanted = (frame.sample_rate, frame.channels, frame.frame_samples)
    if shape != wanted:
        segment.close()
        raise MessageError(
            "bad_segment",
            f"The segment has {shape[0]} Hz, {shape[1]} channels and frames of {shape[2]}; "
            f"{bundle.name} has {wanted[0]} Hz, {wanted[1]} channels and {wanted[2]}.",
            "Run `bandmate plugin install` again and reload the plugin.",
        )
    return segment


def describe(name: str) -> Bundle:
    """The bundle of a model a plugin asks for. Raises MessageError."""
    found = find_bundles()
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise MessageError(
            "unknown_model", f"There is no model {name!r}; there are: {known}.", "Choose another."
        )
    try:
        return found[name].load()
    except BundleError as error:
        raise MessageError("model_failed", str(error), "See `bandmate doctor`.") from error


def frame_of(bundle: Bundle) -> messages.Frame:
    """A model's grid as the wire has it."""
    frame = bundle.frame
    return messages.Frame(
        sample_rate=frame.sample_rate,
        channels=frame.channels,
        frame_samples=frame.frame_samples,
        delay_samples=frame.delay_samples,
    )


def models() -> tuple[messages.ModelInfo, ...]:
    """Every model that can be opened. One that is broken or has no weights is left out."""
    described = []
    for name, found in sorted(find_bundles().items()):
        try:
            bundle = found.load()
            check_weights(bundle)
        except BundleError as error:
            log.debug("%s", error)
            continue
        cost = budget.known_ms(bundle) or 0.0
        described.append(messages.ModelInfo(name=name, frame=frame_of(bundle), budget_ms=cost))
    return tuple(described[: wire.MODELS_MAXIMUM])
