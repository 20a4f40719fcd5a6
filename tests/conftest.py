# SPDX-License-Identifier: GPL-3.0-or-later
"""No test touches the user's own Bandmate: folders and server are the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import built
from support.sandbox import Sandbox


@pytest.fixture(scope="session", autouse=True)
def own_folders() -> Iterator[Sandbox]:
    """Points this process, and so every plugin it loads and command it runs, at a sandbox."""
    sandbox = Sandbox()
    kept = {name: os.environ.get(name) for name in sandbox.variables}
    os.environ.update(sandbox.variables)
    yield sandbox
    sandbox.close()
    for name, value in kept.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A fresh sandbox for one test, with nothing installed and no server."""
    place = Sandbox()
    yield place
    place.close()


@pytest.fixture(scope="session")
def vst3() -> Path:
    """The built VST3."""
    return built("Bandmate.vst3")


@pytest.fixture(scope="session")
def lv2() -> Path:
    """The built LV2."""
    return built("Bandmate.lv2")
