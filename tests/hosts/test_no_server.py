# SPDX-License-Identifier: GPL-3.0-or-later
"""Without a server, or without an installation: silence, a reason, and a host that lives on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.file_player import play_file
from support.paths import MUSIC
from support.pedalboard_host import load
from support.sandbox import Sandbox

PIECE = MUSIC / "heldout_mono.mid"


@pytest.fixture
def dead_end() -> Iterator[Sandbox]:
    """Installed, but what starts the server fails at once."""
    place = Sandbox(BANDMATE_MODEL="testtone", BANDMATE_SERVER_COMMAND="/bin/false")
    place.install_plugin()
    yield place
    place.close()


def test_a_render_without_a_server_ends_silent_and_says_why(dead_end: Sandbox) -> None:
    report, audio = play_file(dead_end, PIECE, 2.0)
    assert not audio.any()
    assert report["took"] < 60, "the waiting has an end"
    assert "server" in report["status"], report
    assert report["latency"] > 0, "the song's timing must not depend on the server"


def test_a_plugin_that_was_never_installed_says_so(sandbox: Sandbox) -> None:
    report, audio = play_file(sandbox, PIECE, 1.0)
    assert not audio.any()
    assert "bandmate plugin install" in report["status"], report


def test_looking_at_a_plugin_starts_nothing(live_home: Sandbox, vst3: Path) -> None:
    """Hosts construct a plugin to learn its name; models must not be loaded for that."""
    code = (
        f"import pedalboard; print(pedalboard.VST3Plugin.get_plugin_names_for_file({str(vst3)!r}))"
    )
    done = live_home.run([live_home.python_program, "-c", code])
    assert "Bandmate" in done.stdout, done.stderr
    assert live_home.server() is None


def test_many_instances_share_one_server(vst3: Path, own_folders: Sandbox) -> None:
    from support.clicks import clicks
    from support.pedalboard_host import Note, play

    plugins = [load(vst3) for _ in range(4)]
    for i, plugin in enumerate(plugins):
        audio = play(plugin, [Note(100 + i, 5000, 60 + i)], 12000)
        assert clicks(audio[:, 0]) == [100 + i + plugin.reported_latency_samples]
    assert own_folders.server() is not None
