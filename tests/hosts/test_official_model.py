# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of the official size, from files in the official layout, played by a host.

The weights are random and the style encoder is small: what is heard is noise, but all of the way
from files and prompt to the host is the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.file_player import play_file
from support.musiccoca import SmallMusicCoCa, write_mapper
from support.paths import MUSIC, ROOT
from support.sandbox import Sandbox

from bandmate.models.mrt2.files import FOLDER, OfficialFiles
from bandmate.models.registry import find_bundle

MODEL = "mrt2_small"
SECONDS = 0.6
READY_SECONDS = 170  # it is measured too before it plays; a busy machine takes its time
FIRST_CODE = 500.0  # of the style codes: well within their range
RANDOM_CHECKPOINT = ROOT / "scripts" / "random_checkpoint.py"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Sandbox]:
    """A home with the official files of `MODEL` and the plugin, which starts with it."""
    # Which precision is fastest here is not the question, and takes long to measure.
    place = Sandbox(BANDMATE_MODEL=MODEL, MAGENTA_HOME=str(tmp_path), BANDMATE_PRECISION="float32")
    made = place.run([sys.executable, RANDOM_CHECKPOINT, MODEL, tmp_path])
    assert made.returncode == 0, made.stderr
    bundle = find_bundle(MODEL)
    assert bundle.depthformer is not None
    assert bundle.conditioning is not None
    dim = bundle.depthformer.style_embedding_width
    small = SmallMusicCoCa.random(dim, bundle.conditioning.style_levels, 1.0, FIRST_CODE)
    styles = OfficialFiles(tmp_path / FOLDER).musiccoca
    small.write(styles)
    write_mapper(styles, np.eye(dim), np.zeros((dim, dim)))
    place.install_plugin()
    yield place
    place.close()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_official_layout_plays_in_a_host(home: Sandbox) -> None:
    report, audio = play_file(
        home,
        MUSIC / "heldout_mixed.mid",
        SECONDS,
        styles=["warm piano"],
        ready_seconds=READY_SECONDS,
    )
    assert (report["model"], report["status"], report["underruns"]) == (MODEL, "ready", 0), report
    frame = find_bundle(MODEL).frame
    assert report["latency"] >= frame.frame_samples + frame.delay_samples
    assert np.isfinite(audio).all()
    heard = audio[report["latency"] :]
    assert len(heard) > 5 * frame.frame_samples, "too little is left to judge"
    for begin in range(frame.frame_samples, len(heard) - frame.frame_samples, frame.frame_samples):
        assert heard[begin : begin + frame.frame_samples].any(), f"silence at sample {begin}"
