# SPDX-License-Identifier: GPL-3.0-or-later
"""State banks: a point of a stream in a safetensors file, to go on from at another time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bandmate.errors import BandmateError
from bandmate.models.bundle import Bundle
from bandmate.models.interface import Model, Resumable, StateError
from bandmate.session.session import ResumePoint

FORMAT = "bandmate-bank-1"
BYTES_MAXIMUM = 2**30  # no model's state is near it: what is larger is no bank
COUNT_MAXIMUM = 2**30  # frames and codes are counted in 32 bits


class BankError(BandmateError):
    """A bank that cannot be written, read or used. The message says what to do."""


@dataclass(frozen=True)
class Bank:
    """The contents of a file.

    Attributes:
        model: name of the model.
        version: of its bundle; another has other weights, which the state would not fit.
        frame: see `ResumePoint`.
        arrays: the model's state (see `models.interface.Resumable`).
    """

    model: str
    version: str
    frame: int
    arrays: dict[str, NDArray[Any]]


def take_bank(bundle: Bundle, model: Model, point: ResumePoint) -> Bank:
    """A point of a stream as a bank. Inference thread.

    Raises:
        BankError: the model has no banks.
    """
    resumable = _resumable(bundle, model)
    state = model.init_state() if point.state is None else point.state
    return Bank(bundle.name, bundle.version, point.frame, resumable.state_arrays(state))


def resume_point(bundle: Bundle, model: Model, bank: Bank) -> ResumePoint:
    """The point of a stream that a bank holds. Inference thread.

    Raises:
        BankError: the bank is not one of this model.
    """
    resumable = _resumable(bundle, model)
    if (bank.model, bank.version) != (bundle.name, bundle.version):
        raise BankError(
            f"The bank was saved with {bank.model} {bank.version}, this is {bundle.name} "
            f"{bundle.version}. Choose one of this model."
        )
    try:
        return ResumePoint(resumable.state_from_arrays(bank.arrays), bank.frame)
    except StateError as error:
        raise BankError(f"{error} Choose a bank saved with this model as it is now.") from error


def write_bank(path: Path, bank: Bank) -> None:
    """Writes the file, whole or not at all. Any thread.

    Raises:
        BankError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    facts = {
        "format": FORMAT,
        "model": bank.model,
        "version": bank.version,
        "frame": str(bank.frame),
    }
    try:
        try:
            arrays = {name: np.ascontiguousarray(array) for name, array in bank.arrays.items()}
            save_file(arrays, part, facts)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise BankError(
            f"The bank {path} cannot be written ({_reason(error)}). Choose another folder."
        ) from error


def read_bank(path: Path) -> Bank:
    """Reads and checks a file, but for the shapes, which only the model knows. Any thread.

    Raises:
        BankError: it cannot be read, or is no bank.
    """
    try:
        if not path.is_file():
            raise BankError(f"There is no bank {path}. Choose another file.")
        if path.stat().st_size > BYTES_MAXIMUM:
            raise BankError(f"{path} is no bank: it is too large. Choose another file.")
        with safe_open(path, "numpy") as file:
            facts = file.metadata() or {}
            _check_format(path, facts)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, TypeError) as error:
        raise BankError(
            f"{path} cannot be read as a bank ({_reason(error)}). Choose another file."
        ) from error
    for name, array in arrays.items():
        _check_values(path, name, array)
    return Bank(facts["model"], facts["version"], int(facts["frame"]), arrays)


def _check_format(path: Path, facts: dict[str, str]) -> None:
    if facts.get("format") != FORMAT:
        raise BankError(f"{path} is no bank of this Bandmate. Choose another file.")
    frame = facts.get("frame", "")
    counted = frame.isascii() and frame.isdigit() and len(frame) < 12
    if not {"model", "version"} <= facts.keys() or not counted or int(frame) >= COUNT_MAXIMUM:
        raise BankError(f"{path} is a damaged bank: its description is broken. Save it anew.")


def _check_values(path: Path, name: str, array: NDArray[Any]) -> None:
    """What is not finite would sound for ever; counts become places in tables."""
    if array.dtype.kind == "f":
        good = bool(np.isfinite(array).all())
    else:
        good = array.dtype.kind in "iu" and bool(((array >= 0) & (array < COUNT_MAXIMUM)).all())
    if not good:
        raise BankError(
            f"{path} is a damaged bank: its array '{name}' is out of range. Save it anew."
        )


def _resumable(bundle: Bundle, model: Model) -> Resumable:
    if not isinstance(model, Resumable):
        raise BankError(f"The model {bundle.name!r} has no banks. Choose another model.")
    return model


def _reason(error: BaseException) -> str:
    lines = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()
    return lines[0]
