# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every check on a folder of recorded vectors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from bandmate.errors import BandmateError
from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.mrt2 import loading
from bandmate.models.mrt2.codec import AnyDecoder
from bandmate.models.mrt2.spectrostream import cpu
from bandmate.models.mrt2.spectrostream.decoder import Decoder
from bandmate.models.mrt2.spectrostream.quantizer import Quantizer
from bandmate.models.mrt2.state_layout import exported_state_layout
from bandmate.parity.codec_checks import check_codec
from bandmate.parity.config import FILE_NAME, ParityConfig, ParityError, read_config
from bandmate.parity.language_checks import RUNS, check_codec_output, check_run
from bandmate.parity.recording import record, reference_keys
from bandmate.parity.report import FileReport
from bandmate.parity.scalar_checks import check_note_tracker, check_scalars

CHECKPOINT = "checkpoint.safetensors"
ENCODER = "encoder.safetensors"
CONDITIONING = "conditioning.npz"
READ_FILES = (FILE_NAME, CHECKPOINT, ENCODER, CONDITIONING)

log = logging.getLogger(__name__)


class ParityFolder:
    """A folder in the format of the recorded vectors, with its model."""

    def __init__(self, path: Path):
        """Reads the sizes; weights and conditioning are read by the checks that need them.

        Raises:
            ParityError: the folder lacks its description.
        """
        self._path = path
        self._config: ParityConfig = read_config(path)
        self._models: dict[WeightFormat, Depthformer] = {}
        self._checks: dict[str, Callable[[str], FileReport]] = {
            "spectrostream.npz": self._codec,
            "scalars.json": lambda name: check_scalars(self._json(name)),
            "note_tracker.json": lambda name: check_note_tracker(self._json(name)),
            "state_layout.json": self._state_layout,
            **dict.fromkeys(RUNS, self._run),
        }

    def reports(self) -> Iterator[tuple[str, FileReport]]:
        """Checks the files that are there, one by one: name and report.

        A file that cannot be checked, or lacks what it is checked with, fails with the reason.
        """
        for name in sorted(self._checks):
            if not (self._path / name).is_file():
                continue
            try:
                report = self._checks[name](name)
            except Exception as error:  # whatever a damaged file leads to: the others go on
                log.debug("%s", name, exc_info=True)
                report = FileReport(0.0, failure=_reason(error))
            yield name, report

    def missing(self) -> list[str]:
        """Recorded files that could be checked and are not there."""
        return sorted(name for name in self._checks if not (self._path / name).is_file())

    def unknown(self) -> list[str]:
        """Files of recordings that no check reads."""
        known = {*self._checks, *READ_FILES}
        kinds = (".json", ".npz", ".safetensors")
        there = (path for path in self._path.iterdir() if path.suffix in kinds)
        return sorted(path.name for path in there if path.name not in known)

    @cached_property
    def _tokens(self) -> NDArray[np.int32]:
        path = self._path / CONDITIONING
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return np.asarray(arrays["tokens"], np.int32)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ParityError(f"{path} cannot be read ({error}).") from error

    def _json(self, name: str) -> Any:
        return json.loads((self._path / name).read_text(encoding="utf-8"))

    def _arrays(self, name: str) -> dict[str, Any]:
        with np.load(self._path / name, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def _tensors(self) -> dict[str, Any]:
        config = self._config
        path = self._path / CHECKPOINT
        return loading.load_checkpoint(path, config.depthformer, config.conditioning, config.codec)

    def _model(self, form: WeightFormat) -> Depthformer:
        if form not in self._models:
            config = self._config
            self._models[form] = Depthformer(
                config.depthformer, config.conditioning, self._tensors(), form
            )
        return self._models[form]

    def _run(self, name: str) -> FileReport:
        form, run = RUNS[name]
        model, theirs = self._model(form), self._arrays(name)
        report = check_run(name, model, self._tokens, theirs)
        if "waveform" in theirs:
            quantizer, decoders = self._codec_parts()
            none_forced = np.empty((0, model.spec.codebooks), np.int32)
            ours = record(model, self._tokens, run, none_forced, reference_keys(theirs, run))
            for decoder in decoders:
                check_codec_output(report, ours, theirs, quantizer, decoder)
        return report

    def _codec_parts(self) -> tuple[Quantizer, list[AnyDecoder]]:
        """The quantiser and every decoder that can run here, MLX's first."""
        tensors, spec = self._tensors(), self._config.codec
        values = loading.below(tensors, loading.DECODER_PREFIX)
        decoders: list[AnyDecoder] = [Decoder(spec, values)]
        if cpu.usable():
            decoders.append(cpu.NativeDecoder(spec, dict(values)))
        return Quantizer(tensors[loading.QUANTIZER_KEY]), decoders

    def _codec(self, name: str) -> FileReport:
        spec = self._config.codec
        quantizer, decoders = self._codec_parts()
        encoder = loading.load_encoder(self._path / ENCODER, spec)
        return check_codec(quantizer, encoder, decoders, spec.frame_samples, self._arrays(name))

    def _state_layout(self, name: str) -> FileReport:
        report = FileReport(0.0)
        config = self._config
        for key, rows in (("no_cfg", None), ("two_cfgs", 3)):
            ours = exported_state_layout(config.depthformer, config.codec, rows)
            expected = [(tuple(shape), dtype) for shape, dtype in self._json(name)[key]]
            same = [one == other for one, other in zip(ours, expected, strict=False)]
            report.equal(key, [len(ours), *same], [len(expected), *([True] * len(same))])
        return report


def _reason(error: Exception) -> str:
    """One line that says what is wrong with a file."""
    text = (str(error).splitlines() or [""])[0]
    if isinstance(error, BandmateError) and text:
        return text
    return f"It lacks {text}." if isinstance(error, KeyError) else f"{type(error).__name__}: {text}"
