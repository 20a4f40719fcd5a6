# SPDX-License-Identifier: GPL-3.0-or-later
"""The models against recorded results of the reference (tests/parity/data/README.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bandmate.engine import blas

blas.activate()

from bandmate.cli.parity import command  # noqa: E402  (MLX must come after the BLAS)
from bandmate.parity.config import ParityError  # noqa: E402
from bandmate.parity.folder import ParityFolder  # noqa: E402

DATA = Path(__file__).parent / "data"
# Every recorded file but what the checks read: sizes, weights, conditioning.
VECTORS = sorted(
    path.name
    for path in DATA.iterdir()
    if path.suffix in (".npz", ".json") and path.stem not in ("config", "conditioning")
)


@pytest.fixture(scope="module")
def reports():
    return dict(ParityFolder(DATA).reports())


def test_every_recorded_file_is_checked(reports):
    assert sorted(reports) == VECTORS


@pytest.mark.parametrize("name", VECTORS)
def test_recorded_file(reports, name):
    report = reports[name]
    assert report.passed, report.summary()


def test_command_prints_json():
    result = CliRunner().invoke(command, [str(DATA), "--json"])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.output)
    assert printed["passed"] is True
    assert set(printed["files"]) == set(VECTORS)
    assert all({"worst", "tolerance", "passed"} <= set(f) for f in printed["files"].values())


def test_wrong_conditioning_is_noticed(tmp_path):
    """A folder whose vectors belong to other inputs must fail, not pass by luck."""
    for name in ("config.json", "checkpoint.safetensors", "greedy_fp32.npz"):
        shutil.copy(DATA / name, tmp_path / name)
    with np.load(DATA / "conditioning.npz") as arrays:
        tokens = arrays["tokens"].copy()
    tokens[5, 12 + 60] = 7 if tokens[5, 12 + 60] != 7 else 9
    np.savez(tmp_path / "conditioning.npz", tokens=tokens)
    reports = dict(ParityFolder(tmp_path).reports())
    assert not reports["greedy_fp32.npz"].passed


def test_folder_without_description_is_refused(tmp_path):
    with pytest.raises(ParityError, match=r"config\.json"):
        ParityFolder(tmp_path)
