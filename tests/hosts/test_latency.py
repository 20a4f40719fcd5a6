# SPDX-License-Identifier: GPL-3.0-or-later
"""Reported latency is real: a note at sample n comes out at n plus what the plugin reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.clicks import clicks
from support.pedalboard_host import Note, load, play

from bandmate.models.testtone import CLICK_LEVEL

RATES = (44100, 48000, 88200, 96000)
SPARE = 24000  # room for the latency at the end of a render
BLOCKS = (1, 17, 64, 333, 512, 1024, 8192)


def some_notes(rate: int) -> list[Note]:
    """Starts at no round place of a block or frame, but for the first at the very first sample."""
    starts = (0, rate // 5 + 3, rate // 2 + 1, rate * 4 // 5 - 7)
    return [Note(at, at + rate // 10, 60 + 3 * i) for i, at in enumerate(starts)]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("block", BLOCKS)
def test_notes_come_out_at_their_sample_plus_latency(vst3: Path, rate: int, block: int) -> None:
    plugin, notes = load(vst3), some_notes(rate)
    audio = play(plugin, notes, rate + SPARE, rate, block)
    latency = plugin.reported_latency_samples
    assert 0 < latency < SPARE
    heard = clicks(audio[:, 0])
    expected = [note.on + latency for note in notes]
    assert len(heard) == len(expected), (heard, expected)
    off_by = np.abs(np.subtract(heard, expected)).max()
    assert off_by <= (0 if rate == 48000 else 1), (heard, expected)
    np.testing.assert_array_equal(audio[:, 0], audio[:, 1])
    if rate == 48000:
        np.testing.assert_array_equal(audio[heard, 0], np.float32(CLICK_LEVEL))


def test_blocks_of_changing_size(vst3: Path) -> None:
    """A host prepares for its largest block and sends what it likes; positions must not care."""
    plugin, rate, largest = load(vst3), 48000, 1024
    sizes = np.random.default_rng(7).integers(1, largest + 1, size=150)
    total = int(sizes.sum())
    notes = [Note(at, at + 2000, 60 + i % 12) for i, at in enumerate(range(5, total - 20000, 4801))]
    pieces, begin = [], 0
    for size in sizes:
        mine = [
            (message, time - begin / rate)
            for note in notes
            for message, time in note.messages(rate)
            if begin <= int(time * rate) < begin + size
        ]
        pieces.append(plugin(mine, (size + 0.25) / rate, rate, 2, largest, begin == 0).T)
        begin += size
    audio = np.concatenate(pieces)
    assert len(audio) == total
    latency = plugin.reported_latency_samples
    heard = clicks(audio[:, 0])
    assert heard == [note.on + latency for note in notes if note.on + latency < total]
    assert len(heard) > 5


def test_latency_is_constant_while_it_plays(vst3: Path) -> None:
    """Hosts ignore a change, or stop: a new budget takes force with the next preparation."""
    plugin = load(vst3)
    reported = set()
    for i in range(20):
        play(plugin, some_notes(48000), 4800, 48000, 256, reset=i == 0)
        reported.add(plugin.reported_latency_samples)
    assert len(reported) == 1


def test_preparing_again_for_another_rate_and_block(vst3: Path) -> None:
    """One instance through other settings and back, as when a DAW's preferences change."""
    plugin = load(vst3)
    for rate, block in ((48000, 512), (96000, 64), (44100, 2048), (48000, 512)):
        notes = some_notes(rate)
        heard = clicks(play(plugin, notes, rate + SPARE, rate, block)[:, 0])
        latency = plugin.reported_latency_samples
        expected = [note.on + latency for note in notes]
        assert len(heard) == len(expected)
        assert np.abs(np.subtract(heard, expected)).max() <= (0 if rate == 48000 else 1)
