# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model in a DAW: on time, automated, the same at each export, and recorded.

Restart on Play makes the stream begin anew with the transport: without it the sound of a stretch
hangs on what the plugin played before.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support import ardour
from support.ardour_midi import put_notes
from support.plugin_ids import VST3_CLASS_ID
from support.sandbox import Sandbox

from bandmate.report.notes import Note
from bandmate.report.onsets import measure_onsets

pytestmark = pytest.mark.skipif(not ardour.is_installed(), reason="Ardour 7 is not installed")

RATE = 48000
FRAME_MS = 40.0
NOTES = [(0.5, 0.5, 60, 100), (1.5, 0.5, 67, 100), (2.5, 0.5, 64, 100), (3.5, 0.5, 72, 100)]
SECONDS = 5.0
CHANGE = 2.25  # where automation moves from one style to the other


@pytest.fixture
def song() -> Iterator[ardour.Session]:
    # The latency has room for a busy machine: where sound lands is the question, not how soon.
    place = Sandbox(BANDMATE_MODEL="pico", BANDMATE_LATENCY="250")
    place.install_plugin()
    scanned = ardour.scan(place, place.home / ".vst3" / "Bandmate.vst3")
    assert scanned.returncode == 0, scanned.stdout + scanned.stderr
    session = ardour.Session(place, VST3_CLASS_ID, RATE, 512)
    put_notes(session.file, NOTES, SECONDS)
    session.set_styles("warm piano", "bright synth lead")
    session.automate(Restart_on_Play=[(0, 1), (SECONDS, 1)])
    yield session
    place.close()


def errors_ms(audio: np.ndarray) -> np.ndarray:
    """Heard minus written, of the notes whose start shows."""
    written = [Note(start, start + length, key) for start, length, key, _ in NOTES]
    return measure_onsets(audio, RATE, written).errors_ms


def test_on_time_automated_repeated_and_recorded(song: ardour.Session) -> None:
    plain = song.repeated_export()
    errors = errors_ms(plain)
    assert len(errors) == len(NOTES), errors
    assert np.abs(errors).max() <= FRAME_MS, errors

    song.automate(
        Style_1=[(0, 1), (CHANGE, 1), (CHANGE + 0.01, 0), (SECONDS, 0)],
        Style_2=[(0, 0), (CHANGE, 0), (CHANGE + 0.01, 1), (SECONDS, 1)],
    )
    automated = song.repeated_export()
    before, after = round((CHANGE - 0.1) * RATE), round((CHANGE + 0.1) * RATE)
    np.testing.assert_array_equal(automated[:before], plain[:before])
    changed = np.square(automated[after:] - plain[after:]).mean()
    assert changed > 0.05 * np.square(plain[after:]).mean(), "the automation is not heard"

    take = song.record(SECONDS, warm_up=3.0)
    heard = np.zeros_like(automated)
    length = min(len(take.audio), len(heard) - take.position)
    heard[take.position : take.position + length] = take.audio[:length]
    errors = errors_ms(heard)
    assert len(errors) >= 2, "a busy machine may miss a note, not most of them"
    assert np.abs(errors).max() <= FRAME_MS, errors
