# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate play` in a terminal: the keys one by one, and the meters a player sees."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import mido
import pytest
from support.sandbox import Sandbox
from support.waiting import wait_for

from bandmate.play.inputs import KEY_VELOCITY, KeyInput

METER = re.compile(r"(-?\d+\.\d) dB   frame +(\d+\.\d) of (\d+) ms   underruns (\d+)")


@dataclass
class Keyboard:
    """A terminal, and what its keys have played."""

    terminal: int
    played: list[mido.Message] = field(default_factory=list)
    quits: int = 0

    def quit(self) -> None:
        self.quits += 1

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def wait_for(self, kind: str, value: int) -> mido.Message:
        """The first message that has not been taken yet; it must be this one."""
        message = wait_for(lambda: self.played.pop(0) if self.played else None, f"{kind} {value}")
        assert message.type == kind
        assert (message.control if kind == "control_change" else message.note) == value
        return message


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        board = Keyboard(ours)
        assert KeyInput.is_possible()
        keys = KeyInput(board.played.append, board.quit)
        keys.start()
        yield board
        keys.close()
    os.close(ours)


def test_keys_are_notes_and_end_by_themselves(keyboard: Keyboard) -> None:
    keyboard.type("a")
    assert keyboard.wait_for("note_on", 60).velocity == KEY_VELOCITY
    keyboard.wait_for("note_off", 60)
    keyboard.type("w")
    keyboard.wait_for("note_on", 61)
    keyboard.wait_for("note_off", 61)


def test_octaves_panic_and_quit(keyboard: Keyboard) -> None:
    keyboard.type("xa")
    keyboard.wait_for("note_on", 72)
    keyboard.wait_for("note_off", 72)
    keyboard.type("zzA")  # with shift too
    keyboard.wait_for("note_on", 48)
    keyboard.wait_for("note_off", 48)
    keyboard.type(" ")
    keyboard.wait_for("control_change", 123)
    for other in ("1", "\x1b[A", "\x1bOq", "\x1b[15~"):  # a digit, an arrow, the keypad, F5
        keyboard.type(other)
        time.sleep(0.2)
    assert keyboard.quits == 0
    keyboard.type("q")
    wait_for(lambda: keyboard.quits, "the end")
    assert not [message for message in keyboard.played if message.type == "note_on"]


def test_the_meters_show_level_and_frame_time(sandbox: Sandbox) -> None:
    ours, theirs = pty.openpty()
    quiet = ["--model", "testtone", "--no-midi", "--output", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bandmate", "play", *quiet],
        stdin=theirs,
        stderr=theirs,
        env={**sandbox.environment, "COLUMNS": "120", "TERM": "xterm"},
    )
    os.close(theirs)
    shown = ""
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            shown += os.read(ours, 65536).decode(errors="replace")
            os.write(ours, b"ad")
            levels = [float(level) for level, *_ in METER.findall(shown)]
            if levels and max(levels) > -40.0:
                break
        os.write(ours, b"q")
        # A terminal that nobody reads would hold up what is written into it.
        while process.poll() is None and time.monotonic() < end:
            shown += os.read(ours, 65536).decode(errors="replace")
    except OSError:
        pass  # the other side has closed the terminal, and ends
    finally:
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            os.close(ours)
    assert code == 0, shown[-2000:]
    levels = [float(level) for level, *_ in METER.findall(shown)]
    assert max(levels) > -40.0, "a note is louder"
    assert all(int(budget) > 0 for _, _, budget, _ in METER.findall(shown))
