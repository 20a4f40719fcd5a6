# SPDX-License-Identifier: GPL-3.0-or-later
"""What the language model learns from, as prepare.py writes it.

Reading it needs numpy alone: a machine with a GPU and PyTorch can train with nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

VALUES = "values.npz"
TAUGHT, UNSEEN = "tokens", "unseen"  # folders of a run: what it learns from, and other music


@dataclass
class Tokens:
    """What prepare.py wrote of clips; see there.

    Attributes:
        codes: [clips, frames, codebooks] uint16; told: [clips, frames, 128] uint8.
        styles: [clips, variants, levels] uint8; drums, plain: [clips] bool.
    """

    codes: np.ndarray
    told: np.ndarray
    styles: np.ndarray
    drums: np.ndarray
    plain: np.ndarray


def load(run: Path, validation: bool, folder: str = TAUGHT) -> Tokens:
    """All files of one kind.

    Raises:
        SystemExit: there are none.
    """
    paths = sorted((run / folder).glob(f"{'held' if validation else 'train'}_*.npz"))
    if not paths:
        raise SystemExit(f"{run / folder} holds no clips; run prepare.py first.")
    parts: dict[str, list[np.ndarray]] = {}
    for path in paths:
        with np.load(path) as part:
            for field in fields(Tokens):
                value = part[field.name]
                if field.name in ("codes", "told"):
                    value = np.ascontiguousarray(value.swapaxes(1, 2))
                parts.setdefault(field.name, []).append(value)
    return Tokens(**{name: np.concatenate(rows) for name, rows in parts.items()})


def load_values(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The codec's vectors [codebooks, codes, latent], and what codes stand for [.., dims]."""
    with np.load(run / TAUGHT / VALUES) as values:
        return values["codebooks"], values["code_values"]
