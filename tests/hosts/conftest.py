# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts find the plugin installed and play the test tone, whose sound is exact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.sandbox import Sandbox


@pytest.fixture(scope="package", autouse=True)
def installed(own_folders: Sandbox) -> None:
    """The plugin as `bandmate plugin install` leaves it, in the tests' own home."""
    own_folders.install_plugin()


@pytest.fixture(scope="module", autouse=True)
def test_tone(installed: None) -> Iterator[None]:
    """Undone with each module: a fixture of this package lives until the last test of all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANDMATE_MODEL", "testtone")
        yield


@pytest.fixture
def live_home() -> Iterator[Sandbox]:
    """A home for a host in another process, with the plugin installed and the test tone."""
    # Live hosts share the machine with whatever runs beside the tests. They test where sound
    # lands, not how soon, so the latency leaves frames room.
    place = Sandbox(BANDMATE_MODEL="testtone", BANDMATE_LATENCY="150")
    place.install_plugin()
    yield place
    place.close()
