# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts find the plugin installed and play the test tone, whose sound is exact."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.sandbox import Sandbox


@pytest.fixture(scope="package", autouse=True)
def installed(own_folders: Sandbox) -> Iterator[None]:
    """The plugin as `bandmate plugin install` leaves it, in the tests' own home."""
    own_folders.install_plugin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BANDMATE_MODEL", "testtone")
        yield


@pytest.fixture
def live_home() -> Iterator[Sandbox]:
    """A home for a host in another process, with the plugin installed and the test tone."""
    place = Sandbox(BANDMATE_MODEL="testtone")
    place.install_plugin()
    yield place
    place.close()
