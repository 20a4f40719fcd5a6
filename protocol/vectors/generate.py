# SPDX-License-Identifier: Apache-2.0
"""Writes the byte vectors that the tests of both languages decode and encode again.

    python protocol/vectors/generate.py

Run it after an intended change of the wire only, and look at the diff: bytes that change without a
new version break every plugin and server that is already out.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from generate_streams import streams

from bandmate import _protocol as wire
from bandmate.link import messages as m
from bandmate.link.codec import encode

HERE = Path(__file__).parent

FRAME = m.Frame(48000, 2, 1920, 960)
MODELS = (m.ModelInfo("pico", FRAME, 31.25), m.ModelInfo("testtone", FRAME, 2.0))
STATUS = (7, "pico", "ready", 3, 2**40, 12, 21.5, 33.0, "")
PROMPTS = (
    m.Prompt(0, "warm felt piano"),
    m.Prompt(5, "", "pico:0:AAAAPw=="),
    m.Prompt(2, 'schräg ♪ 🎷\n"quoted"'),
)

REQUESTS = [
    m.Hello("Bandmate plugin 0.1.0", 1),
    m.Open("/run/user/1000/bandmate/segment-4242-1", "pico", 2**64 - 1, "Ardour"),
    m.SetPrompts(7, 3, PROMPTS),
    m.SetPrompts(2**32 - 1, 2**63, ()),
    m.Status(0),
    m.ListModels(),
    m.Ping(),
    m.Close(7),
    m.Shutdown(),
    m.BankSave(7, "/home/ö/banks/verse.safetensors"),
    m.BankLoad(7, "/home/ö/banks/verse.safetensors"),
    m.BankLoad(7, ""),
    m.Prefill(7, "/home/ö/clip.wav"),
    m.Prefill(7, ""),
    m.Reset(7, 2**32 - 1),
    m.StyleSound(7, 5, "/home/ö/clip.wav", 2.5),
    m.StyleSound(7, 0, "", 10.0),
    m.ContinueFrom(7, "", 28.0, "/home/ö/banks/clip.safetensors"),
    m.TakeSave(7, "/home/ö/takes/one.wav", 600.0),
    m.Cancel(7),
]
REPLIES = [
    m.ErrorReply("unknown_model", "There is no model 'grand'.", "Choose one of: pico, testtone."),
    m.HelloReply("0.1.0", 1, MODELS),
    m.OpenReply(7, FRAME, 31.25),
    m.SetPromptsReply(7, 3),
    m.StatusReply((m.SessionStatus(*STATUS),)),
    m.ListModelsReply(()),
    m.PingReply(),
    m.CloseReply(7),
    m.ShutdownReply(),
    m.BankSaveReply(7),
    m.BankLoadReply(7),
    m.PrefillReply(7),
    m.ResetReply(7),
    m.StyleSoundReply(7, 5, "pico:0:AAAAPw=="),
    m.ContinueFromReply(7),
    m.TakeSaveReply(7, 12.5),
    m.CancelReply(7),
]
PUSHES = [
    m.StatusPush(*STATUS),
    m.Closed(7, "The plugin has not been heard of for 10 s."),
    m.Progress(7, "continue_from", 0.25),
]

TOKEN = "5f0c" * 8
EVENT = wire.EventType


def messages() -> list[dict[str, Any]]:
    """Every type of message, with its fields as JSON."""

    def vector(kind: str, message: m.Request | m.Reply | m.Push) -> dict[str, Any]:
        body = message.body
        return {
            "name": f"{kind} {body.TYPE}",
            "kind": kind,
            "envelope": {k: v for k, v in vars(message).items() if k != "body"},
            "type": body.TYPE,
            "fields": dataclasses.asdict(body),
            "hex": encode(message).hex(),
        }

    return [
        *(vector("request", m.Request(i, TOKEN, body)) for i, body in enumerate(REQUESTS)),
        *(vector("reply", m.Reply(2**40 + i, body)) for i, body in enumerate(REPLIES)),
        *(vector("push", m.Push(body)) for body in PUSHES),
    ]


def _nested(levels: int) -> Any:
    return [_nested(levels - 1)] if levels else 0


def refused_messages() -> list[dict[str, str]]:
    """Bytes that must be refused, and with which code."""
    ping = {"v": 1, "id": 1, "token": TOKEN, "type": "ping"}
    close = {**ping, "type": "close", "session": 7}
    prompts = {**ping, "type": "set_prompts", "session": 7, "revision": 1}
    pong = {"v": 1, "re": 1, "ok": True, "type": "ping"}

    requests: list[tuple[str, str, Any]] = [
        ("no bytes", "bad_message", b""),
        ("cut short", "bad_message", msgpack.packb(ping)[:-1]),
        ("bytes after the end", "bad_message", msgpack.packb(ping) + b"\x00"),
        ("reserved byte", "bad_message", b"\xc1"),
        ("not a map", "bad_message", msgpack.packb([1, 2])),
        ("a map that claims 2^32-1 entries", "bad_message", b"\xdf\xff\xff\xff\xff"),
        ("a list beyond 1024 entries", "bad_message", {**ping, "x": [0] * 1025}),
        ("nested too deep", "bad_message", {**ping, "x": _nested(8)}),
        ("empty map", "bad_field", {}),
        ("a key that is no text", "bad_field", {**ping, 5: 1}),
        ("a key twice", "bad_field", b"\x85" + msgpack.packb(ping)[1:] + b"\xa1v\x01"),
        ("no version", "bad_field", {"id": 1, "token": TOKEN, "type": "ping"}),
        ("version as text", "bad_field", {**ping, "v": "1"}),
        ("version 0", "unsupported_version", {**ping, "v": 0}),
        ("version 2", "unsupported_version", {**ping, "v": 2}),
        ("id below 0", "bad_field", {**ping, "id": -1}),
        ("id as real", "bad_field", {**ping, "id": 1.0}),
        ("id as boolean", "bad_field", {**ping, "id": True}),
        ("token missing", "bad_field", {"v": 1, "id": 1, "type": "ping"}),
        ("token too long", "bad_field", {**ping, "token": "f" * 129}),
        ("token as binary", "bad_field", {**ping, "token": b"5f0c"}),
        (
            "text that is not UTF-8",
            "bad_field",
            msgpack.packb({**ping, "token": "A"}).replace(b"\xa1A", b"\xa1\xff"),
        ),
        ("unknown type", "unknown_type", {**ping, "type": "sing"}),
        ("a type of replies", "unknown_type", {**ping, "type": "error"}),
        ("session 0", "bad_field", {**close, "session": 0}),
        ("session above 32 bits", "bad_field", {**close, "session": 2**32}),
        ("session missing", "bad_field", {**ping, "type": "close"}),
        ("prompts as a map", "bad_field", {**prompts, "prompts": {}}),
        (
            "prompts beyond the slots",
            "bad_field",
            {**prompts, "prompts": [{"slot": i % 6, "text": ""} for i in range(7)]},
        ),
        ("prompt slot 6", "bad_field", {**prompts, "prompts": [{"slot": 6, "text": ""}]}),
        ("prompt too long", "bad_field", {**prompts, "prompts": [{"slot": 0, "text": "a" * 1025}]}),
        (
            "a style of 1 s",
            "bad_field",
            {**ping, "type": "style_sound", "session": 7, "slot": 0, "path": "", "seconds": 1.0},
        ),
        (
            "a sound too long",
            "bad_field",
            {**prompts, "prompts": [{"slot": 0, "text": "", "sound": "A" * 8193}]},
        ),
        ("a prompt that is no map", "bad_field", {**prompts, "prompts": [3]}),
    ]
    replies: list[tuple[str, str, Any]] = [
        ("ok as a number", "bad_field", {**pong, "ok": 1}),
        ("ok missing", "bad_field", {"v": 1, "re": 1, "type": "ping"}),
        ("error missing", "bad_field", {"v": 1, "re": 1, "ok": False}),
        ("error without a hint", "bad_field",
         {"v": 1, "re": 1, "ok": False, "error": {"code": "io", "message": "m"}}),
        ("unknown reply", "unknown_type", {**pong, "type": "sing"}),
        ("unknown push", "unknown_type", {"v": 1, "type": "ping"}),
        ("budget that is no number", "bad_field",
         {**pong, "type": "open", "session": 7, "frame": vars(FRAME), "budget_ms": float("nan")}),
        ("frame of 0 samples", "bad_field",
         {**pong, "type": "open", "session": 7, "frame": {**vars(FRAME), "frame_samples": 0},
          "budget_ms": 1.0}),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "kind": kind,
            "code": code,
            "hex": (value if isinstance(value, bytes) else msgpack.packb(value)).hex(),
        }
        for kind, group in (("request", requests), ("reply", replies))
        for name, code, value in group
    ]


def lenient_messages() -> list[dict[str, str]]:
    """Bytes that are not ours but are to be understood: (kind, type, bytes)."""
    ping = {"v": 1, "id": 1, "token": TOKEN, "type": "ping"}
    prompts = {**ping, "type": "set_prompts", "session": 7, "revision": 1}
    opened = {"v": 1, "re": 1, "ok": True, "type": "open", "session": 7, "frame": vars(FRAME)}
    cases = [
        ("request", "ping", "unknown keys", {**ping, "x": {"y": [1, b"z"]}, "w": None}),
        ("request", "ping", "another order of keys", dict(reversed(ping.items()))),
        ("request", "ping", "nested as deep as may be", {**ping, "x": _nested(7)}),
        ("request", "ping", "a list as long as may be", {**ping, "x": [0] * 1024}),
        ("reply", "open", "a whole number for a real", {**opened, "budget_ms": 31}),
        (
            "request",
            "set_prompts",
            "a prompt without a sound",
            {**prompts, "prompts": [{"slot": 0, "text": "a"}]},
        ),
    ]
    return [
        {"name": name, "kind": kind, "type": type_, "hex": msgpack.packb(value).hex()}
        for kind, type_, name, value in cases
    ]


def events() -> list[dict[str, Any]]:
    """Event records, legal and not."""
    nan = float("nan")
    rows = [
        ("epoch", True, (0, EVENT.EPOCH, 0, 1, 0.0, 2**64 - 1)),
        ("epoch 0", False, (0, EVENT.EPOCH, 0, 0, 0.0, 0)),
        ("epoch not at time 0", False, (1, EVENT.EPOCH, 0, 1, 0.0, 0)),
        ("note on", True, (2**53 + 1, EVENT.NOTE_ON, 15, 127, 1.0, 0)),
        ("note on, velocity 1", True, (5, EVENT.NOTE_ON, 0, 0, 1 / 127, 0)),
        ("note on, velocity 0", False, (5, EVENT.NOTE_ON, 0, 60, 0.0, 0)),
        ("note on, pitch 128", False, (5, EVENT.NOTE_ON, 0, 128, 0.5, 0)),
        ("note on, channel 16", False, (5, EVENT.NOTE_ON, 16, 60, 0.5, 0)),
        ("note on, velocity not a number", False, (5, EVENT.NOTE_ON, 0, 60, nan, 0)),
        ("note off", True, (6, EVENT.NOTE_OFF, 9, 36, 0.0, 0)),
        ("control", True, (7, EVENT.CONTROL, 0, 64, 1.0, 0)),
        ("control above 1", False, (7, EVENT.CONTROL, 0, 64, 1.01, 0)),
        ("pitch bend", True, (8, EVENT.PITCH_BEND, 1, 0, -1.0, 0)),
        ("pressure of a channel", True, (9, EVENT.PRESSURE, 1, wire.ANY_PITCH, 0.25, 0)),
        ("pressure of a pitch", True, (9, EVENT.PRESSURE, 1, 61, 0.25, 0)),
        ("pressure of pitch 128", False, (9, EVENT.PRESSURE, 1, 128, 0.25, 0)),
        ("all notes off", True, (10, EVENT.ALL_NOTES_OFF, wire.ANY_CHANNEL, 0, 0.0, 0)),
        ("all notes off, channel 16", False, (10, EVENT.ALL_NOTES_OFF, 16, 0, 0.0, 0)),
        ("temperature", True, (11, EVENT.PARAMETER, 0, wire.ParameterId.TEMPERATURE, 1.25, 0)),
        ("top-k not whole", False, (11, EVENT.PARAMETER, 0, wire.ParameterId.TOP_K, 1.5, 0)),
        ("unknown parameter", False, (11, EVENT.PARAMETER, 0, len(wire.PARAMETERS), 0.0, 0)),
        ("transport", True, (12, EVENT.TRANSPORT, 0, 5, 120.5, 2**64 - 48000)),
        ("tempo below 0", False, (12, EVENT.TRANSPORT, 0, 0, -1.0, 0)),
        ("unknown type", False, (13, 10, 0, 0, 0.0, 0)),
        ("type 0", False, (13, 0, 0, 0, 0.0, 0)),
    ]
    vectors = []
    for name, is_legal, row in rows:
        record = np.array(row, wire.EVENT_DTYPE)
        values = {field: record[field].item() for field in wire.EVENT_DTYPE.names}
        if values["value"] != values["value"]:
            del values["value"]  # JSON has no such number; the bytes say it
        vectors.append(
            {"name": name, "is_legal": is_legal, "fields": values, "hex": record.tobytes().hex()}
        )
    return vectors


def segments() -> dict[str, Any]:
    """Segment descriptions: shapes with their bytes, and bytes that must be refused."""
    nonce = bytes(range(16))
    shape = {
        "sample_rate": 48000,
        "channels": 2,
        "frame_samples": 1920,
        "event_slots": 16384,
        "audio_slots": 64,
        "creator_pid": 4242,
    }
    small = {**shape, "channels": 1, "frame_samples": 3, "event_slots": 64, "audio_slots": 4}
    good = wire.describe(**shape, nonce=nonce)

    def changed(offset: int, value: bytes) -> str:
        return (good[:offset] + value + good[offset + len(value) :]).hex()

    def u32(value: int) -> bytes:
        return value.to_bytes(4, "little")

    def u64(value: int) -> bytes:
        return value.to_bytes(8, "little")

    refused = [
        ("magic", "bad_segment", changed(7, b"2")),
        ("byte order", "bad_segment", changed(12, good[12:16][::-1])),
        ("layout 2", "unsupported_version", changed(8, u32(2))),
        ("header size", "bad_segment", changed(16, u32(1088))),
        ("total size", "bad_segment", changed(24, u64(2**40))),
        ("sample rate 0", "bad_segment", changed(32, u32(0))),
        ("9 channels", "bad_segment", changed(36, u32(9))),
        ("frame of 0 samples", "bad_segment", changed(40, u32(0))),
        ("frame of 2^32-1 samples", "bad_segment", changed(40, u32(2**32 - 1))),
        ("reserved word", "bad_segment", changed(44, u32(1))),
        ("event ring inside the header", "bad_segment", changed(64, u64(512))),
        ("event ring beyond the end", "bad_segment", changed(64, u64(2**63))),
        ("events not a power of two", "bad_segment", changed(72, u32(1000))),
        ("no event slots", "bad_segment", changed(72, u32(0))),
        ("event slot size", "bad_segment", changed(76, u32(64))),
        ("audio ring overlaps", "bad_segment", changed(80, u64(1024))),
        ("audio slot size", "bad_segment", changed(92, u32(16))),
        ("audio slots beyond the limit", "bad_segment", changed(104, u32(2048))),
        ("last reserved word", "bad_segment", changed(112, u64(1))),
    ]
    return {
        "described": [
            {
                "name": name,
                "shape": described,
                "nonce": nonce.hex(),
                "hex": wire.describe(**described, nonce=nonce).hex(),
            }
            for name, described in (("usual", shape), ("small", small))
        ],
        "refused": [{"name": name, "code": code, "hex": hex_} for name, code, hex_ in refused],
    }


def main() -> None:
    files = {
        "messages.json": messages(),
        "messages_refused.json": refused_messages(),
        "messages_lenient.json": lenient_messages(),
        "events.json": events(),
        "segments.json": segments(),
        "streams.json": streams(),
    }
    for name, vectors in files.items():
        (HERE / name).write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
