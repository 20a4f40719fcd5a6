# SPDX-License-Identifier: GPL-3.0-or-later
"""The byte vectors of protocol/vectors, read and written by the Python side."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bandmate import _protocol as wire
from bandmate.link import messages as m
from bandmate.link.codec import decode_request, decode_server_message, encode
from bandmate.link.fields import MessageError

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def named(items: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(item, id=item["name"]) for item in items]


def decode(kind: str, data: bytes) -> m.Request | m.Reply | m.Push:
    return decode_request(data) if kind == "request" else decode_server_message(data)


@pytest.mark.parametrize("vector", named(vectors("messages.json")))
def test_message_reads_as_its_fields_and_writes_as_its_bytes(vector):
    data = bytes.fromhex(vector["hex"])
    message = decode(vector["kind"], data)
    envelope = {k: v for k, v in vars(message).items() if k != "body"}
    assert type(message) is {"request": m.Request, "reply": m.Reply, "push": m.Push}[vector["kind"]]
    assert envelope == vector["envelope"]
    assert vector["type"] == message.body.TYPE
    fields = json.loads(json.dumps(dataclasses.asdict(message.body)))
    assert fields == vector["fields"]
    assert encode(message) == data


@pytest.mark.parametrize(
    ("kind", "bodies"),
    [("request", m.RequestBody), ("reply", m.ReplyBody), ("push", m.PushBody)],
)
def test_every_type_of_message_has_a_vector(kind, bodies):
    seen = {v["type"] for v in vectors("messages.json") if v["kind"] == kind}
    assert seen == {cls.TYPE for cls in bodies.__args__}


@pytest.mark.parametrize("vector", named(vectors("messages_refused.json")))
def test_refused_message_is_refused_with_its_code(vector):
    with pytest.raises(MessageError) as refused:
        decode(vector["kind"], bytes.fromhex(vector["hex"]))
    assert refused.value.code == vector["code"]
    assert refused.value.code in wire.ERROR_CODES
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("vector", named(vectors("messages_lenient.json")))
def test_unusual_message_is_understood(vector):
    message = decode(vector["kind"], bytes.fromhex(vector["hex"]))
    assert vector["type"] == message.body.TYPE


@pytest.mark.parametrize("vector", named(vectors("events.json")))
def test_event_has_its_fields_and_its_verdict(vector):
    data = bytes.fromhex(vector["hex"])
    record = np.frombuffer(data, wire.EVENT_DTYPE)[0]
    for name, value in vector["fields"].items():
        assert record[name].item() == value
    assert record.tobytes() == data
    assert wire.is_legal_event(np.frombuffer(data, np.uint8)) == vector["is_legal"]


@pytest.mark.parametrize("vector", named(vectors("segments.json")["described"]))
def test_segment_description_is_what_its_shape_leads_to(vector):
    nonce = bytes.fromhex(vector["nonce"])
    assert wire.describe(**vector["shape"], nonce=nonce).hex() == vector["hex"]


@pytest.mark.parametrize("vector", named(vectors("segments.json")["refused"]))
def test_damaged_segment_is_refused_with_its_code(vector, tmp_path):
    path = tmp_path / "segment"
    wire.Segment.create(path, 48000, 2, 1920).close()
    with path.open("r+b") as file:
        file.write(bytes.fromhex(vector["hex"]))
    with pytest.raises(wire.Error) as refused:
        wire.Segment.attach(path)
    assert refused.value.code == vector["code"]
    assert refused.value.message
    assert refused.value.hint


def test_the_generator_still_writes_these_bytes(tmp_path):
    for script in VECTORS.glob("generate*.py"):  # they write beside themselves
        (tmp_path / script.name).write_bytes(script.read_bytes())
    subprocess.run([sys.executable, tmp_path / "generate.py"], check=True, capture_output=True)
    written = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}
    assert written == {path.name: path.read_bytes() for path in VECTORS.glob("*.json")}
