# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latency benchmark hears in a recording."""

from __future__ import annotations

import numpy as np

from bandmate.engine.latency_benchmark import note_attacks, note_delays

RATE = 48000


def recording(starts: list[int], delay: int) -> np.ndarray:
    """A decaying tone `delay` samples after each start; the tails ring on quietly."""
    sound = np.zeros((5 * RATE, 2), np.float32)
    time = np.arange(RATE)
    tone = 0.4 * np.exp(-time / 3000) * np.cos(time / 7)
    for start in starts:
        sound[start + delay : start + delay + RATE] += tone[:, None].astype(np.float32)
    return sound


def test_a_delay_is_found_to_the_sample():
    starts = [1000, 61013, 121026]
    delays = note_delays(recording(starts, 2880), starts, RATE)
    np.testing.assert_allclose(delays, 60.0)


def test_a_note_over_the_last_ones_tail_is_found():
    starts = [1000, 9000]  # the tail is at -24 dB when the second begins
    delays = note_delays(recording(starts, 2000), starts, RATE)
    np.testing.assert_allclose(delays, 2000 / 48, atol=1.0)


def test_a_note_without_a_sound_has_no_delay():
    delays = note_delays(recording([1000], 2000), [1000, 120000], RATE)
    assert np.isfinite(delays).tolist() == [True, False]


def test_an_attack_is_where_the_level_has_half_come_up():
    """What sounds of a note before it is there is audible, and not its attack."""
    starts = [1000, 61013, 121026, 181039]
    sound = recording(starts[:3], 2880)
    for start in starts[:3]:
        sound[start + 1920 : start + 2880] += 0.01
    delays = note_delays(sound, starts, RATE)
    np.testing.assert_allclose(delays[:3], 40.0)
    attacks = note_attacks(sound, starts, delays, RATE)
    np.testing.assert_allclose(attacks[:3], 60.0, atol=1.0)
    assert np.isnan(attacks[3])
