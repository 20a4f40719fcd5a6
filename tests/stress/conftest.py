# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the C++ side of the stress test (a second, and nothing when it is up to date)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def stress_peer(tmp_path_factory):
    """Path of the program `bandmate_stress_peer`."""
    build = ROOT / "build" / "stress"
    tools = Path(sys.executable).parent  # cmake and ninja may be installed beside Python only
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def run(*command):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run("cmake", "-S", ROOT / "protocol", "-B", build, "-DBANDMATE_BUILD_TESTS=OFF")
    run("cmake", "--build", build, "--target", "bandmate_stress_peer")
    return build / "tools" / "bandmate_stress_peer"
