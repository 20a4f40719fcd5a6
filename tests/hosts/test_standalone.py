# SPDX-License-Identifier: GPL-3.0-or-later
"""The standalone program on a desktop: it starts, shows its window, plays, saves and ends whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from support.desktop import Desktop, desktop, is_installed
from support.jack_server import jack_server, ports
from support.paths import built
from support.sandbox import Sandbox
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(
    not is_installed() or shutil.which("jackd") is None, reason="no virtual display or no JACK"
)

IDLE_SECONDS = 3


@pytest.fixture
def screen(sandbox: Sandbox) -> Iterator[Desktop]:
    with desktop(sandbox.root) as place:
        yield place


@pytest.fixture
def home(sandbox: Sandbox) -> Sandbox:
    """A server that ends soon after its last session."""
    command = [sys.executable, "-m", "bandmate", "serve", "--idle-exit", str(IDLE_SECONDS)]
    sandbox.variables.update(BANDMATE_MODEL="testtone", BANDMATE_SERVER_COMMAND=json.dumps(command))
    sandbox.install_plugin()
    return sandbox


def test_from_its_start_to_its_end(home: Sandbox, screen: Desktop) -> None:
    program = next(path for path in built("Standalone").iterdir() if path.name == "Bandmate")
    with jack_server(home) as sound, (home.root / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            [program], env={**sound, **screen.variables}, stdout=log, stderr=log
        )
        try:

            def lives() -> bool:
                assert process.poll() is None, (home.root / "standalone.log").read_text()
                return True

            window = wait_for(lambda: lives() and screen.window("Bandmate"), "its window", 90)
            wait_for(lambda: lives() and "Bandmate:out_2" in (ports(sound) or ""), "JACK", 60)
            server = wait_for(lambda: lives() and home.server(), "its server", 90)
            picture = screen.picture(window, home.root / "standalone.png")
            assert picture.shape[0] > 200, "the editor is larger"
            assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20, "the window is empty"
            screen.click(window, screen.size(window)[0] - 20, 15)  # the X that JUCE draws
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        settings = list((home.home / ".config").glob("*.settings"))
        assert settings, "what the user has set is not saved"
        assert "filterState" in settings[0].read_text()

        def is_over() -> bool:
            return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE

        wait_for(is_over, "the server's end after its idle time", IDLE_SECONDS + 60)
        assert not list(home.runtime.glob("segment-*"))
