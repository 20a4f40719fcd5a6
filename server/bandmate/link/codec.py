# SPDX-License-Identifier: GPL-3.0-or-later
"""Control messages to and from bytes, as the C++ `codec.hpp`.

Byte vectors in protocol/vectors hold the two together.
"""

from __future__ import annotations

from typing import Any

from bandmate import _protocol as wire
from bandmate.link.fields import (
    U64_MAXIMUM,
    MessageError,
    Text,
    Whole,
    as_map,
    pack,
    read_fields,
    unpack,
    write_fields,
)
from bandmate.link.messages import (
    ErrorReply,
    Push,
    PushBody,
    Reply,
    ReplyBody,
    Request,
    RequestBody,
)

_TYPE = Text(wire.NAME_BYTES_MAXIMUM)
_TOKEN = Text(wire.TOKEN_BYTES_MAXIMUM)
_U64 = Whole(0, U64_MAXIMUM)

_REQUESTS = {cls.TYPE: cls for cls in RequestBody.__args__}
_REPLIES = {cls.TYPE: cls for cls in ReplyBody.__args__ if cls is not ErrorReply}
_PUSHES = {cls.TYPE: cls for cls in PushBody.__args__}


def encode(message: Request | Reply | Push) -> bytes:
    """The bytes of a message; nothing that the other side would refuse is ever made.

    Raises:
        MessageError: bad_field or bad_message.
    """
    body = message.body
    values: dict[str, Any] = {"v": wire.MESSAGE_VERSION}
    if isinstance(message, Request):
        values["id"] = _U64.write("id", message.id)
        values["token"] = _TOKEN.write("token", message.token)
    elif isinstance(message, Reply):
        values["re"] = _U64.write("re", message.re)
        values["ok"] = not isinstance(body, ErrorReply)
    if isinstance(body, ErrorReply):
        values["error"] = write_fields(body)
    else:
        values["type"] = body.TYPE
        values.update(write_fields(body))
    return pack(values)


def decode_request(data: bytes) -> Request:
    """What a server receives.

    Raises:
        MessageError: bad_message, bad_field, unsupported_version or unknown_type; `re` is the
            request's id if that could be read.
    """
    values = unpack(data)
    try:
        _check_version(values)
        return Request(
            _field(values, "id", _U64),
            _field(values, "token", _TOKEN),
            _read_body(values, _REQUESTS),
        )
    except MessageError as error:
        try:
            error.re = _field(values, "id", _U64)
        except MessageError:
            error.re = 0
        raise


def decode_server_message(data: bytes) -> Reply | Push:
    """What a client receives: a message with `re` is a reply, any other a push.

    Raises:
        MessageError: bad_message, bad_field, unsupported_version or unknown_type.
    """
    values = unpack(data)
    _check_version(values)
    if "re" not in values:
        return Push(_read_body(values, _PUSHES))
    re = _field(values, "re", _U64)
    if not isinstance(values.get("ok"), bool):
        raise MessageError("bad_field", "The field 'ok' must be true or false.", re=re)
    if values["ok"]:
        return Reply(re, _read_body(values, _REPLIES))
    return Reply(re, read_fields(ErrorReply, as_map("error", values.get("error"))))


def error_reply(error: MessageError) -> Reply:
    """The reply that refuses a request; texts are cut to what the wire takes."""

    def cut(text: str) -> str:
        return text.encode(errors="replace")[: wire.TEXT_BYTES_MAXIMUM].decode(errors="ignore")

    code = error.code if error.code in wire.ERROR_CODES else "internal"
    return Reply(error.re, ErrorReply(code, cut(error.message), cut(error.hint)))


def _field(values: dict[str, Any], name: str, rule: Text | Whole) -> Any:
    if name not in values:
        raise MessageError("bad_field", f"The field '{name}' is missing.")
    return rule.read(name, values[name])


def _check_version(values: dict[str, Any]) -> None:
    version = _field(values, "v", _U64)
    if not wire.MESSAGE_VERSION_MINIMUM <= version <= wire.MESSAGE_VERSION:
        raise MessageError(
            "unsupported_version",
            f"The message has version {version}, this side speaks "
            f"{wire.MESSAGE_VERSION_MINIMUM} to {wire.MESSAGE_VERSION}.",
            "Install plugin and server of the same Bandmate version.",
        )


def _read_body(values: dict[str, Any], classes: dict[str, Any]) -> Any:
    type_ = _field(values, "type", _TYPE)
    if type_ not in classes:
        raise MessageError(
            "unknown_type",
            f"'{type_}' is not a message this side knows.",
            "Install plugin and server of the same Bandmate version.",
        )
    return read_fields(classes[type_], values)
