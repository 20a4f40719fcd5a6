# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes that nobody meant: understood or refused with one clear error, and nothing else."""

import json
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandmate import _protocol as wire
from bandmate.link import messages as m
from bandmate.link.codec import decode_request, decode_server_message, encode, error_reply
from bandmate.link.fields import MessageError

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
GOOD = [
    bytes.fromhex(v["hex"])
    for v in json.loads((VECTORS / "messages.json").read_text(encoding="utf-8"))
]

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
values = st.recursive(
    scalars | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(scalars, inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(["v", "id", "re", "ok", "token", "type", "session", "prompts", "frame"])


def check(decode, data):
    """Understood messages survive another round; refused ones can be answered."""
    try:
        message = decode(data)
    except MessageError as error:
        refused = error
    else:
        assert decode(encode(message)) == message
        return
    assert refused.code in wire.ERROR_CODES
    assert isinstance(decode_server_message(encode(error_reply(refused))).body, m.ErrorReply)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(data):
    check(decode_request, data)
    check(decode_server_message, data)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, values, max_size=9))
def test_random_maps_with_real_names(fields):
    fields = {"v": 1, **fields}
    try:
        data = msgpack.packb(fields)
    except (ValueError, OverflowError, UnicodeEncodeError):
        return  # msgpack itself cannot say it
    check(decode_request, data)
    check(decode_server_message, data)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_damaged_messages(good, data):
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not damaged:
            break
    check(decode_request, bytes(damaged))
    check(decode_server_message, bytes(damaged))


def test_a_message_that_is_too_long_is_refused_unread():
    with pytest.raises(MessageError) as refused:
        decode_request(bytes(wire.MESSAGE_BYTES_MAXIMUM + 1))
    assert refused.value.code == "bad_message"


def test_a_refusal_names_the_request_it_answers():
    with pytest.raises(MessageError) as refused:
        decode_request(msgpack.packb({"v": 1, "id": 41, "token": "t", "type": "sing"}))
    assert error_reply(refused.value).re == 41


def test_a_long_error_is_cut_to_what_the_wire_takes():
    reply = error_reply(MessageError("no_such_code", "é" * 5000, "h" * 5000))
    assert reply.body.code == "internal"
    assert decode_server_message(encode(reply)) == reply


@pytest.fixture(scope="module")
def segment_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "segment"
    wire.Segment.create(path, 48000, 1, 16, event_slots=64, audio_slots=4).close()
    return path, path.read_bytes()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(offset=st.integers(0, 1023), damage=st.binary(min_size=1, max_size=64))
def test_a_damaged_segment_is_refused_or_of_the_same_shape(segment_file, offset, damage):
    path, good = segment_file
    path.write_bytes((good[:offset] + damage + good[offset + len(damage) :])[: len(good)])
    try:
        with wire.Segment.attach(path) as segment:
            assert (segment.channels, segment.frame_samples, segment.event_slots) == (1, 16, 64)
            # Live fields may now say anything: using them must be safe all the same.
            segment.published()
            segment.enter_newest_epoch()
            assert segment.read_events(2**64 - 1).size <= 64
            segment.write_frame(1, 0, np.zeros((16, 1), np.float32))
            segment.read_input_frame()
            assert segment.server_state in wire.ServerState
    except wire.Error as error:
        code = error.code
    else:
        return
    assert code in ("bad_segment", "unsupported_version")


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_random_records_are_legal_or_skipped(record):
    raw = np.frombuffer(record, np.uint8)
    event = raw.view(wire.EVENT_DTYPE)[0]
    if wire.is_legal_event(raw):
        assert event["type"] in list(wire.EventType)
        assert np.isfinite(event["value"])
