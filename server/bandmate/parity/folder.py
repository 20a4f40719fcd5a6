# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every check on a folder of recorded vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bandmate.models.depthformer.depthformer import Depthformer
from bandmate.models.depthformer.linear import WeightFormat
from bandmate.models.mrt2 import loading
from bandmate.models.mrt2.state_layout import exported_state_layout
from bandmate.parity.codec_checks import check_codec
from bandmate.parity.config import ParityConfig, ParityError, read_config
from bandmate.parity.language_checks import RUNS, check_codec_output, check_run
from bandmate.parity.recording import record
from bandmate.parity.report import FileReport
from bandmate.parity.scalar_checks import check_note_tracker, check_scalars


class ParityFolder:
    """A folder in the format of the recorded vectors, with its model."""

    def __init__(self, path: Path):
        """Reads sizes and conditioning; weights are read by each check.

        Raises:
            ParityError, BundleError: the folder lacks its description, weights or conditioning.
        """
        self._path = path
        self._config: ParityConfig = read_config(path)
        self._models: dict[WeightFormat, Depthformer] = {}
        try:
            with np.load(path / "conditioning.npz", allow_pickle=False) as arrays:
                self._tokens = np.asarray(arrays["tokens"], np.int32)
        except (OSError, ValueError, KeyError) as error:
            raise ParityError(f"{path / 'conditioning.npz'} cannot be read ({error}).") from error

    def reports(self) -> Iterator[tuple[str, FileReport]]:
        """Checks the files that are there, one by one: name and report."""
        checks: dict[str, Callable[[str], FileReport]] = {
            "spectrostream.npz": self._codec,
            "scalars.json": lambda name: check_scalars(self._json(name)),
            "note_tracker.json": lambda name: check_note_tracker(self._json(name)),
            "state_layout.json": self._state_layout,
        }
        checks |= {name: self._run for name in RUNS}
        for name in sorted(checks):
            if (self._path / name).is_file():
                yield name, checks[name](name)

    def _json(self, name: str) -> Any:
        return json.loads((self._path / name).read_text(encoding="utf-8"))

    def _arrays(self, name: str) -> dict[str, Any]:
        with np.load(self._path / name, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}

    def _tensors(self) -> dict[str, Any]:
        config = self._config
        path = self._path / "checkpoint.safetensors"
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
            codec = loading.build_codec(self._tensors(), self._config.codec, 1.0)
            none_forced = np.empty((0, model.spec.codebooks), np.int32)
            ours = record(model, self._tokens, run, none_forced)
            check_codec_output(report, ours, theirs, codec.quantizer, codec.decoder)
        return report

    def _codec(self, name: str) -> FileReport:
        spec = self._config.codec
        codec = loading.build_codec(self._tensors(), spec, 1.0)
        encoder = loading.load_encoder(self._path / "encoder.safetensors", spec)
        theirs = self._arrays(name)
        return check_codec(codec.quantizer, encoder, codec.decoder, spec.frame_samples, theirs)

    def _state_layout(self, name: str) -> FileReport:
        report = FileReport(0.0)
        config = self._config
        for key, rows in (("no_cfg", None), ("two_cfgs", 3)):
            ours = exported_state_layout(config.depthformer, config.codec, rows)
            expected = [(tuple(shape), dtype) for shape, dtype in self._json(name)[key]]
            same = [one == other for one, other in zip(ours, expected, strict=False)]
            report.equal(key, [len(ours), *same], [len(expected), *([True] * len(same))])
        return report
