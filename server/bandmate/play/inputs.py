# SPDX-License-Identifier: GPL-3.0-or-later
"""What is played: a MIDI port, and the keys of the computer."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import mido

from bandmate.errors import BandmateError

Play = Callable[[mido.Message], None]
PORT_NAME = "Bandmate"
EXTRA = "pip install 'bandmate[play]'"

KEYS = "awsedftgyhujkolp;'"  # C to F, as on a piano
OCTAVE_DOWN, OCTAVE_UP, QUIT, PANIC = "z", "x", "q", " "
KEY_SECONDS = 0.35  # terminals do not tell when a key goes up
KEY_VELOCITY = 96
FIRST_OCTAVE = 60
POLL_SECONDS = 0.05
# What arrows, function keys and the like send: its letters are no keys that were pressed.
SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class InputError(BandmateError):
    """No MIDI can come in. The message says what to do."""


class MidiInput:
    """One MIDI port: a virtual one named Bandmate, or one that is there."""

    def __init__(self, play: Play, port: str | None) -> None:
        """Args:
        play: takes each message, on a thread of the MIDI library.
        port: a part of a port's name; None for a virtual port.

        Raises:
            InputError: there is no such port, or no MIDI system.
        """
        try:
            import rtmidi
        except ImportError as error:
            raise InputError(f"MIDI input needs python-rtmidi: {EXTRA}.") from error
        self.name = ""
        reasons, seen = [], []
        for api in rtmidi.get_compiled_api():
            if api == rtmidi.API_RTMIDI_DUMMY:
                continue
            try:
                midi = rtmidi.MidiIn(api, name=PORT_NAME)
                if port is None:
                    midi.open_virtual_port(PORT_NAME)
                    self.name = PORT_NAME
                else:
                    names = midi.get_ports()
                    seen += names
                    found = [i for i, name in enumerate(names) if port.lower() in name.lower()]
                    if not found:
                        continue
                    midi.open_port(found[0])
                    self.name = names[found[0]]
            except (rtmidi.SystemError, rtmidi.UnsupportedOperationError, OSError) as error:
                reasons.append(str(error).splitlines()[0])
                continue
            midi.set_callback(self._take, play)
            self._midi = midi
            return
        if port is not None and seen:
            raise InputError(f"There is no MIDI port {port!r}; there are: {', '.join(seen)}.")
        detail = f" ({'; '.join(reasons)})" if reasons else ""
        raise InputError(f"There is no MIDI here{detail}. Play with the computer's keys.")

    def close(self) -> None:
        """Closes the port."""
        self._midi.cancel_callback()
        self._midi.close_port()
        self._midi.delete()  # the client too: a server like JACK would wait for it

    @staticmethod
    def _take(event: tuple[list[int], float], play: Play) -> None:
        with contextlib.suppress(ValueError):  # what is no MIDI message plays nothing
            play(mido.Message.from_bytes(event[0]))


class KeyInput:
    """The terminal's keys as notes, on a thread of their own."""

    def __init__(self, play: Play, on_quit: Callable[[], None]) -> None:
        """Args: play: takes each message; on_quit: called when the user wants to end."""
        self._play, self._on_quit = play, on_quit
        self._base = FIRST_OCTAVE
        self._held: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
        self._before: Any = None

    @staticmethod
    def is_possible() -> bool:
        """Whether there is a terminal to read from."""
        try:
            import termios  # noqa: F401 (not on Windows)
        except ImportError:
            return False
        return sys.stdin.isatty()

    def start(self) -> None:
        """Begins; the terminal gives each key at once from now on."""
        import termios
        import tty

        self._before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        self._thread.start()

    def close(self) -> None:
        """Gives the terminal back."""
        import termios

        self._ended.set()
        self._thread.join()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def _run(self) -> None:
        while not self._ended.is_set():
            readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
            if readable:
                typed = os.read(sys.stdin.fileno(), 64).decode(errors="ignore")
                for key in SEQUENCE.sub("", typed):
                    self._press(key)
            now = time.monotonic()
            for pitch in [pitch for pitch, until in self._held.items() if now >= until]:
                del self._held[pitch]
                self._play(mido.Message("note_off", note=pitch))

    def _press(self, key: str) -> None:
        if key == QUIT:
            self._on_quit()
        elif key == PANIC:
            self._held.clear()
            self._play(mido.Message("control_change", control=123))
        elif key in (OCTAVE_DOWN, OCTAVE_UP):
            step = 12 if key == OCTAVE_UP else -12
            self._base = min(96, max(24, self._base + step))
        elif (place := KEYS.find(key.lower())) >= 0:
            pitch = self._base + place
            if pitch not in self._held:  # a key that repeats by itself holds its note
                self._play(mido.Message("note_on", note=pitch, velocity=KEY_VELOCITY))
            self._held[pitch] = time.monotonic() + KEY_SECONDS
