# SPDX-License-Identifier: Apache-2.0
"""The byte vectors of a stream's messages; see `generate.py`, which writes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bandmate import _protocol as wire

TICKET = bytes(range(16))
INPUT = {
    "heartbeat": 17,
    "until": 2**53 + 1,
    "epoch": 3,
    "flags": 1,
    "frames_read": 2**40,
    "frames_received": 2**40 + 3,
    "underruns": 5,
    "late_frames": 6,
    "lost_events": 7,
}
SOUND = {"index": 2**33, "epoch": 3, "flags": wire.FRAME_GAP, "held_us": 8125}
STATE = {"state": 2, "epoch": 3, "frames": 2**41, "events_read": 12, "inputs_read": 13}
SAMPLES = np.array([[0.5, -0.5], [1.0, -1.0], [0.0, 2.0**-20]], np.float32)
EVENTS = np.array(
    [
        (0, wire.EventType.EPOCH, 0, 3, 0.0, 99),
        (5, wire.EventType.NOTE_ON, 15, 60, 100 / 127, 0),
        (2**53, wire.EventType.NOTE_OFF, 15, 60, 0.0, 0),
    ],
    wire.EVENT_DTYPE,
)
EMPTY = np.zeros(0, wire.EVENT_DTYPE)


def streams() -> dict[str, Any]:
    """Messages with their fields, and bytes that must be refused."""
    start = dict.fromkeys(INPUT, 0)
    unknown = {**SOUND, "flags": 0, "held_us": wire.STREAM_HELD_UNKNOWN}
    good = {
        "input": wire.encode_stream_input(TICKET, 2, INPUT, EVENTS),
        "input, nothing yet": wire.encode_stream_input(TICKET, 1, start, EMPTY),
        "side chain": wire.encode_stream_sound(True, TICKET, 3, unknown, SAMPLES),
        "frame": wire.encode_stream_sound(False, TICKET, 2**40, SOUND, SAMPLES),
        "state": wire.encode_stream_state(TICKET, 2**64 - 1, STATE),
    }
    messages = []
    for name, data in good.items():
        read = wire.decode_stream(data)
        head = {key: read[key] for key in ("kind", "sequence", "fields")}
        messages.append({"name": name, **head, "hex": data.hex()})
    return {"messages": messages, "refused": _refused(good)}


def _refused(good: dict[str, bytes]) -> list[dict[str, str]]:
    def changed(name: str, offset: int, value: int, size: int) -> bytes:
        data = good[name]
        return data[:offset] + value.to_bytes(size, "little") + data[offset + size :]

    cases = [
        ("no bytes", "bad_message", b""),
        ("a control message", "bad_message", b"\x81\xa1v\x01"),
        ("magic alone", "bad_message", wire.STREAM_MAGIC),
        ("another magic", "bad_message", changed("state", 0, 0, 1)),
        ("version 2", "unsupported_version", changed("state", 4, 2, 2)),
        ("kind 0", "unknown_type", changed("state", 6, 0, 2)),
        ("kind 5", "unknown_type", changed("state", 6, 5, 2)),
        ("cut in its head", "bad_message", good["input"][:31]),
        ("cut in its fields", "bad_message", good["input"][:103]),
        ("an event cut short", "bad_message", good["input"][:-1]),
        ("a byte too much", "bad_message", good["state"] + b"\0"),
        ("more events than it says", "bad_message", changed("input", 96, 2, 4)),
        ("1025 events", "bad_field", changed("input", 96, 1025, 4)),
        ("a position without an epoch", "bad_field", changed("input", 48, 0, 4)),
        ("a frame without an epoch", "bad_field", changed("frame", 40, 0, 4)),
        ("a frame of 0 samples", "bad_field", changed("frame", 48, 0, 4)),
        ("a frame of 2^32-1 samples", "bad_field", changed("frame", 48, 2**32 - 1, 4)),
        ("9 channels", "bad_field", changed("frame", 52, 9, 4)),
        ("fewer samples than it says", "bad_message", changed("frame", 48, 4, 4)),
        ("server state 5", "bad_field", changed("state", 32, 5, 4)),
    ]
    return [{"name": name, "code": code, "hex": data.hex()} for name, code, data in cases]
