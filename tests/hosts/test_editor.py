# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the editor in each state, taken from the code that ships, and its window in a host.

What they look like, people judge (docs/pictures); here they must be there, differ, and show the
state. `BANDMATE_PICTURES=FOLDER` keeps them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import display
from support.display import has_colour, pixels
from support.paths import built
from support.sandbox import Sandbox

pytestmark = pytest.mark.skipif(
    not display.is_installed(), reason="Xvfb, xdotool or ImageMagick is not installed"
)

PROGRAM = Path(__file__).parent / "programs" / "editor_window.py"
DESIGN = (1080, 720)
STATUS_HEIGHT = 34
ACCENT, DANGER, WARNING = (0x5A, 0xD7, 0xB3), (0xFF, 0x6B, 0x5E), (0xFF, 0xB8, 0x4D)
PAGES = ("main", "surface", "presets", "banks", "audio", "settings")


@pytest.fixture
def screen() -> Iterator[dict[str, str]]:
    with display.virtual_display() as variables:
        yield variables


def keep(folder: Path) -> None:
    if wanted := os.environ.get("BANDMATE_PICTURES"):
        Path(wanted).mkdir(parents=True, exist_ok=True)
        for picture in folder.glob("*.png"):
            shutil.copy(picture, wanted)


def light(picture: Path) -> np.ndarray:
    """The status bar's sign of the engine's state."""
    return pixels(picture)[-STATUS_HEIGHT:, :40]


def test_pictures_while_it_plays(
    live_home: Sandbox, screen: dict[str, str], tmp_path: Path
) -> None:
    done = live_home.run(
        [built("editor_pictures"), tmp_path, "playing"],
        env={**live_home.environment, **screen},
    )
    assert done.returncode == 0, done.stderr
    keep(tmp_path)
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["ready"], report
    assert report["memory_mb"] > 10, "the server's memory is known"
    shown = {name: pixels(tmp_path / f"{name}.png") for name in report["pictures"]}
    assert set(PAGES) | {"small", "main_2x"} == set(shown)
    for name in PAGES:
        assert shown[name].shape[:2] == DESIGN[::-1]
        assert len(np.unique(shown[name].reshape(-1, 3), axis=0)) > 100, f"{name} is nearly blank"
        assert has_colour(light(tmp_path / f"{name}.png"), ACCENT), f"{name} does not show 'ready'"
    for i, name in enumerate(PAGES):
        for other in PAGES[i + 1 :]:
            assert (shown[name] != shown[other]).any(axis=-1).mean() > 0.01, (name, other)
    assert shown["main_2x"].shape[:2] == (2 * DESIGN[1], 2 * DESIGN[0])
    assert shown["small"].shape[:2] == (504, 756)


def test_a_picture_of_what_is_wrong(
    live_home: Sandbox, screen: dict[str, str], tmp_path: Path
) -> None:
    variables = {**live_home.environment, **screen, "BANDMATE_SERVER_COMMAND": "false"}
    done = live_home.run([built("editor_pictures"), tmp_path, "failing"], env=variables)
    assert done.returncode == 0, done.stderr
    keep(tmp_path)
    report = json.loads(done.stdout.splitlines()[-1])
    assert "ended at once" in report["problem"]
    assert has_colour(light(tmp_path / "error.png"), DANGER)
    assert has_colour(pixels(tmp_path / "error.png")[540:640], WARNING), "the problem is told"


def test_sound_files_dropped_on_the_editor(
    live_home: Sandbox, screen: dict[str, str], tmp_path: Path
) -> None:
    """A style for each slot, a style on the audio page, and something to go on from."""
    seconds = np.arange(48_000 * 4) / 48_000
    soundfile.write(tmp_path / "dropped.wav", 0.3 * np.sin(2 * np.pi * 330 * seconds), 48_000)
    (tmp_path / "dropped.txt").write_text("no sound")
    done = live_home.run(
        [built("editor_pictures"), tmp_path, "dropping"],
        env={**live_home.environment, **screen, "BANDMATE_MODEL": "pico"},
    )
    assert done.returncode == 0, done.stderr
    dropped = json.loads(done.stdout.splitlines()[-1])["dropped"]
    assert dropped["text_taken"] == 0
    assert (len(dropped["slots"]), len(dropped["audio_page"])) == (6, 2)
    results = dropped["slots"] + dropped["audio_page"]
    assert all(r and not r.startswith("failed") for r in results), results
    assert [Path(name).stem for name in dropped["styles"]] == ["dropped"] * 6
    assert Path(dropped["bank"]).is_file()


def test_the_window_in_a_host(
    live_home: Sandbox, screen: dict[str, str], vst3: Path, tmp_path: Path
) -> None:
    """Knobs follow mouse and keyboard, and with them the host's parameters."""
    report = live_home.python(PROGRAM, vst3, tmp_path, env={**live_home.environment, **screen})
    assert "failure" not in report, report["failure"]
    keep(tmp_path)
    assert tuple(report["size"]) == DESIGN
    assert report["before"] < report["dragged"]
    assert report["top_k"] < report["top_k_after_key"]
    assert report["page_changed"]
