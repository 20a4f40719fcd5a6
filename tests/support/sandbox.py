# SPDX-License-Identifier: GPL-3.0-or-later
"""A private place: its own runtime and settings folders, home and server, gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from support.paths import PLUGIN_BUILD, ROOT
from support.waiting import wait_for


class Sandbox:
    """Folders and environment of one isolated Bandmate.

    Attributes:
        root: everything else is below it. Directly in /tmp: a Unix socket's path must be short.
        runtime: socket, discovery file, shared memory.
        config: engine.json, logs.
        home: HOME of hosts and commands.
    """

    def __init__(self, **environment: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="bm-", dir="/tmp"))
        self.runtime = self.root / "run"
        self.config = self.root / "config"
        self.home = self.root / "home"
        for folder in (self.runtime, self.config, self.home):
            folder.mkdir(mode=0o700)
        self._started: list[subprocess.Popen[bytes]] = []
        self.variables = {
            "BANDMATE_RUNTIME_DIR": str(self.runtime),
            "BANDMATE_CONFIG_DIR": str(self.config),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            **environment,
        }

    python_program = sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment with the sandbox's variables over it."""
        return {**os.environ, **self.variables}

    def bandmate(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs the command `bandmate` here; does not raise on failure."""
        return self.run([sys.executable, "-m", "bandmate", *arguments], **options)

    def run(self, command: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs any command here; does not raise on failure."""
        options = {"env": self.environment, "timeout": 240, **options}
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)

    def python(self, program: Path, *arguments: str | Path, **options: Any) -> dict[str, Any]:
        """Runs a Python program in a process of its own and returns the JSON of its last line.

        Raises:
            AssertionError: the process crashed or failed, with its output.
        """
        done = self.run([sys.executable, program, *arguments], **options)
        assert done.returncode == 0, f"{program.name}: {done.returncode}\n{done.stderr[-4000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    def install_plugin(self) -> None:
        """Installs the built plugin into this home and writes engine.json."""
        done = self.bandmate("plugin", "install", "--no-measure", "--from", PLUGIN_BUILD)
        assert done.returncode == 0, done.stderr

    def discovery(self) -> dict[str, Any] | None:
        """What the discovery file says, or None."""
        try:
            return json.loads((self.runtime / "server.json").read_text())
        except (OSError, ValueError):
            return None

    def server(self) -> psutil.Process | None:
        """The running server, or None."""
        if found := self.discovery():
            try:
                process = psutil.Process(found["pid"])
                return process if process.status() != psutil.STATUS_ZOMBIE else None
            except psutil.NoSuchProcess:
                return None
        return None

    def start_server(self, *options: str) -> psutil.Process:
        """Starts `bandmate serve` and returns it when it can be found."""
        log = (self.root / "serve.log").open("wb")
        command = [sys.executable, "-m", "bandmate", "serve", *options]
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
        )
        log.close()

        def is_found() -> bool:
            assert started.poll() is None, (self.root / "serve.log").read_text()
            return (self.discovery() or {}).get("pid") == started.pid

        wait_for(is_found, "the server's discovery file", 60)
        self._started.append(started)
        return psutil.Process(started.pid)

    def kill_server(self) -> int:
        """Kills the server as a crash would; returns the process id it had."""
        process = self.server()
        assert process is not None, "there is no server to kill"
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not process.is_running() or process.status() == "zombie", "server's end")
        return process.pid

    def close(self) -> None:
        """Ends what runs and removes everything."""
        if process := self.server():
            process.terminate()
            try:
                process.wait(10)
            except psutil.TimeoutExpired:
                process.kill()
        for started in self._started:
            started.kill()
            started.wait()

        def is_gone() -> bool:
            shutil.rmtree(self.root, ignore_errors=True)
            return not self.root.exists()

        # A server that is just ending may still write into its log
        wait_for(is_gone, f"{self.root} to go away", 10)
