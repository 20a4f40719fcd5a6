# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a VST3's editor in pedalboard on $DISPLAY and uses it as a user does: PLUGIN FOLDER.

Takes a picture of the window, turns one knob by mouse and one by keyboard, changes the page, and
prints what became of their parameters.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

# pedalboard's show_editor on a bare X server meets a BadWindow error that Xlib answers with
# exit(1): take that answer away
ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda display, event: 0)
ctypes.CDLL("libX11.so.6").XSetErrorHandler(ignore)

from pedalboard import load_plugin  # noqa: E402

LIMIT_SECONDS = 60.0
TEMPERATURE_KNOB = (71, 438)
TOP_K_KNOB = (164, 438)
QUIET_PLACE = (300, 75)
SETTINGS_TAB = (1017, 28)

folder = Path(sys.argv[2])
plugin = load_plugin(sys.argv[1])
done = threading.Event()
report: dict[str, object] = {}


def run(*command: str | int) -> str:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True).stdout


def wait_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + LIMIT_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def window() -> str:
    return (run("xdotool", "search", "--name", "^Pedalboard$").split() or [""])[-1]


def size() -> tuple[int, int]:
    lines = run("xdotool", "getwindowgeometry", "--shell", window()).splitlines()
    values = dict(line.split("=") for line in lines if "=" in line)
    return int(values.get("WIDTH", 0)), int(values.get("HEIGHT", 0))


def picture(name: str) -> bytes:
    run("import", "-window", window(), folder / f"{name}.png")
    return (folder / f"{name}.png").read_bytes()


def use() -> None:
    assert wait_for(lambda: bool(window()) and size()[0] > 500), "no window came"
    report["size"] = size()
    wait_for(lambda: len(picture("window")) > 20000)  # painted
    temperature = plugin.parameters["temperature"]
    report["before"] = temperature.raw_value
    x, y = TEMPERATURE_KNOB
    run("xdotool", "mousemove", "--window", window(), x, y, "mousedown", 1)
    for step in range(10):
        run("xdotool", "mousemove", "--window", window(), x, y - 4 * step)
    run("xdotool", "mouseup", 1)
    wait_for(lambda: temperature.raw_value != report["before"])
    report["dragged"] = temperature.raw_value
    # The focus is a window manager's work, and there is none; it may take a while to arrive.
    run(
        "xdotool",
        "windowfocus",
        window(),
        "mousemove",
        "--window",
        window(),
        *QUIET_PLACE,
        "click",
        1,
    )
    run("xdotool", "mousemove", "--window", window(), *TOP_K_KNOB, "click", 1)
    top_k = plugin.parameters["top_k"]
    report["top_k"] = top_k.raw_value
    wait_for(lambda: run("xdotool", "key", "Up") == "" and top_k.raw_value != report["top_k"])
    report["top_k_after_key"] = top_k.raw_value
    before = picture("turned")
    x, y = SETTINGS_TAB
    run("xdotool", "mousemove", "--window", window(), x, y, "click", 1)
    report["page_changed"] = wait_for(lambda: picture("settings") != before)


def use_and_close() -> None:
    try:
        use()
    except BaseException:
        report["failure"] = traceback.format_exc()
    done.set()


threading.Thread(target=use_and_close, daemon=True).start()
plugin.show_editor(done)
print(json.dumps(report))
