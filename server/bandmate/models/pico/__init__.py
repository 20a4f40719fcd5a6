# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled small model: the Magenta RealTime 2 architecture with a light magnitude codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bandmate.models.bundle import Bundle
    from bandmate.models.language_model import CodecLanguageModel
    from bandmate.models.pico.style import PicoStyleEncoder


def load(bundle: Bundle, precision: str) -> tuple[CodecLanguageModel, PicoStyleEncoder]:
    """The model and its style encoder (see `loading`); MLX is imported here and not before."""
    from bandmate.models.pico.loading import load as load_parts

    return load_parts(bundle, precision)
