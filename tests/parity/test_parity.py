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


def copies(folder: Path, *names: str) -> None:
    for name in ("config.json", *names):
        shutil.copy(DATA / name, folder / name)


def run_command(folder: Path) -> tuple[int, dict]:
    result = CliRunner().invoke(command, [str(folder), "--json"])
    # As other programs read it: JSON has no infinity and no NaN.
    return result.exit_code, json.loads(
        result.output, parse_constant=lambda name: pytest.fail(name)
    )


def changed(folder: Path, name: str, array: str, change) -> None:
    with np.load(DATA / name) as arrays:
        values = {key: arrays[key] for key in arrays.files}
    values[array] = change(values[array].copy())
    np.savez(folder / name, **values)


def test_some_files_are_enough_and_the_others_are_named(tmp_path):
    copies(tmp_path, "scalars.json")
    (tmp_path / "strange.npz").write_bytes(b"")
    code, printed = run_command(tmp_path)
    assert code == 0
    assert printed["passed"] is True
    assert list(printed["files"]) == ["scalars.json"]
    assert printed["missing"] == [name for name in VECTORS if name != "scalars.json"]
    assert printed["not_checked"] == ["strange.npz"]


@pytest.mark.parametrize("present", [[], ["checkpoint.safetensors", "conditioning.npz"]])
def test_nothing_to_check_is_no_pass(tmp_path, present):
    copies(tmp_path, *present)
    code, printed = run_command(tmp_path)
    assert code == 1
    assert printed["passed"] is False


@pytest.mark.parametrize(
    ("recorded", "needed"),
    [
        ("sampled_fp32.npz", ("checkpoint.safetensors", "conditioning.npz")),
        ("spectrostream.npz", ("checkpoint.safetensors", "encoder.safetensors")),
    ],
)
def test_what_a_check_needs_is_named_and_the_others_go_on(tmp_path, recorded, needed):
    for absent in needed:
        folder = tmp_path / absent
        folder.mkdir()
        copies(folder, recorded, "note_tracker.json", *(n for n in needed if n != absent))
        code, printed = run_command(folder)
        assert (code, printed["passed"]) == (1, False)
        assert absent in printed["files"][recorded]["failure"]
        assert printed["files"]["note_tracker.json"]["passed"] is True


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("temporal_out", lambda a: np.where(a == a.max(), np.nan, a)),
        ("depth_logits", lambda a: np.full_like(a, np.inf)),
        ("depth_logits", lambda a: a * 1.001),
        ("temporal_out", lambda a: a[:-1]),
        ("codes", lambda a: a + (np.arange(a.size).reshape(a.shape) == 7)),
    ],
    ids=["NaN", "infinity", "a thousandth", "short", "one code"],
)
def test_wrong_recordings_fail(tmp_path, array, change):
    copies(tmp_path, "checkpoint.safetensors", "conditioning.npz")
    changed(tmp_path, "cfg_sampled_fp32.npz", array, change)
    code, printed = run_command(tmp_path)
    assert (code, printed["passed"]) == (1, False)
    assert printed["files"]["cfg_sampled_fp32.npz"]["worst"] > 1e-4


def test_damaged_and_incomplete_files_fail_with_the_reason(tmp_path):
    copies(tmp_path, "checkpoint.safetensors", "conditioning.npz")
    (tmp_path / "greedy_fp32.npz").write_bytes((DATA / "greedy_fp32.npz").read_bytes()[:1000])
    with np.load(DATA / "sampled_fp32.npz") as arrays:
        values = {key: arrays[key] for key in arrays.files if key != "depth_logits"}
    np.savez(tmp_path / "sampled_fp32.npz", **values)
    code, printed = run_command(tmp_path)
    assert (code, printed["passed"]) == (1, False)
    assert printed["files"]["greedy_fp32.npz"]["failure"]
    assert "depth_logits" in printed["files"]["sampled_fp32.npz"]["failure"]


def test_folder_without_description_is_refused(tmp_path):
    with pytest.raises(ParityError, match=r"config\.json"):
        ParityFolder(tmp_path)
    code, printed = run_command(tmp_path)
    assert (code, printed["passed"]) == (1, False)
    assert "config.json" in printed["failure"]
