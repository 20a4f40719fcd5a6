# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are not what they should be: one line says what to do, and the next run works."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.oneline import complaint
from support.paths import MUSIC, ROOT
from support.sandbox import Sandbox

PIECE = MUSIC / "heldout_mono.mid"
TESTTONE = ROOT / "server" / "bandmate" / "bundles" / "testtone"


def render(place: Sandbox, midi: Path, wav: Path | str, model: str = "testtone", **options):
    return place.bandmate("render", midi, wav, "--model", model, **options)


def check_that_it_works(place: Sandbox) -> None:
    done = render(place, PIECE, place.root / "good.wav")
    assert done.returncode == 0, done.stderr
    assert (place.root / "good.wav").stat().st_size > 1_000_000


NO_MIDI = {
    "empty": b"",
    "text": b"dear diary, today I did not write any music\n" * 10,
    "cut short": PIECE.read_bytes()[: PIECE.stat().st_size // 2],
    "only a header": PIECE.read_bytes()[:14],
    "noise": bytes((i * 7919 + 13) % 256 for i in range(4000)),
    "a huge promise": PIECE.read_bytes()[:18] + b"\xff\xff\xff\xff" + PIECE.read_bytes()[22:],
}


@pytest.mark.parametrize("content", NO_MIDI.values(), ids=NO_MIDI.keys())
def test_a_midi_file_that_is_none(sandbox: Sandbox, content: bytes) -> None:
    bad = sandbox.root / "bad.mid"
    bad.write_bytes(content)
    done = render(sandbox, bad, sandbox.root / "out.wav")
    assert "bad.mid" in complaint(done)
    assert not list(sandbox.root.glob("*out.wav*")), "nothing may be left of a failed render"
    check_that_it_works(sandbox)


def test_a_midi_file_that_is_missing(sandbox: Sandbox) -> None:
    done = render(sandbox, sandbox.root / "nowhere.mid", sandbox.root / "out.wav")
    assert "nowhere.mid" in complaint(done)


def damage(folder: Path, **changes: object) -> None:
    """Changes keys of a bundle's description; a key with value None is removed."""
    path = folder / "bundle.json"
    raw = json.loads(path.read_text())
    for key, value in changes.items():
        raw[key] = value
        if value is None:
            del raw[key]
    path.write_text(json.dumps(raw))


DAMAGES = {
    "no description": lambda folder: (folder / "bundle.json").unlink(),
    "no JSON": lambda folder: (folder / "bundle.json").write_text("{"),
    "no object": lambda folder: (folder / "bundle.json").write_text("[1, 2]"),
    "binary": lambda folder: (folder / "bundle.json").write_bytes(bytes(range(256))),
    "a newer format": lambda folder: damage(folder, format=99),
    "no frame": lambda folder: damage(folder, frame=None),
    "a frame of text": lambda folder: damage(folder, frame={"sample_rate": "fast"}),
    "an unknown family": lambda folder: damage(folder, family="perceptron"),
    "missing weights": lambda folder: damage(folder, weights={"model": "model.safetensors"}),
    "weights elsewhere": lambda folder: damage(folder, weights={"model": "../../secret"}),
    "another name": lambda folder: damage(folder, name="somebody-else"),
}


@pytest.mark.parametrize("spoil", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_broken_bundle(sandbox: Sandbox, spoil) -> None:
    folder = sandbox.config / "models" / "mine"
    shutil.copytree(TESTTONE, folder)
    damage(folder, name="mine")
    assert render(sandbox, PIECE, sandbox.root / "out.wav", "mine").returncode == 0
    spoil(folder)
    done = render(sandbox, PIECE, sandbox.root / "again.wav", "mine")
    assert "mine" in complaint(done)
    assert not (sandbox.root / "again.wav").exists()
    check_that_it_works(sandbox)  # the broken one hides no other


def test_weights_that_are_none(sandbox: Sandbox) -> None:
    """A download cut short is the usual case."""
    pico = ROOT / "server" / "bandmate" / "bundles" / "pico"
    folder = sandbox.config / "models" / "pico"
    shutil.copytree(pico, folder)
    weights = [file for file in folder.iterdir() if file.suffix == ".safetensors"]
    assert weights
    for file in weights:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
    done = render(sandbox, PIECE, sandbox.root / "out.wav", "pico")
    assert "pico" in complaint(done)
    shutil.rmtree(folder)
    assert (
        render(
            sandbox, MUSIC / "heldout_chords.mid", sandbox.root / "out.wav", "pico", timeout=600
        ).returncode
        == 0
    )


def test_a_model_that_nobody_knows(sandbox: Sandbox) -> None:
    assert "testtone" in complaint(render(sandbox, PIECE, sandbox.root / "out.wav", "unheard-of"))


def test_a_disk_that_is_always_full(sandbox: Sandbox) -> None:
    assert "/dev/full" in complaint(render(sandbox, PIECE, "/dev/full"))


@pytest.fixture
def small_disk(sandbox: Sandbox) -> Iterator[Path]:
    """A file system of 256 KiB; needs the right to mount one."""
    folder = sandbox.root / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up(sandbox: Sandbox, small_disk: Path) -> None:
    old = small_disk / "out.wav"
    old.write_bytes(b"what was there before")
    assert "out.wav" in complaint(render(sandbox, PIECE, old))
    assert old.read_bytes() == b"what was there before"
    assert [file.name for file in small_disk.iterdir()] == ["out.wav"]


@pytest.mark.parametrize("target", ["nowhere/out.wav", "."])
def test_a_place_that_cannot_be_written(sandbox: Sandbox, target: str) -> None:
    done = render(sandbox, PIECE, sandbox.root / target)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
