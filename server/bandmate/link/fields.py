# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of control messages: how a value is checked on its way in and on its way out.

As the C++ `detail/field_rules.hpp`, with the same rules, limits and error codes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import msgpack

from bandmate import _protocol as wire

U32_MAXIMUM = 2**32 - 1
U64_MAXIMUM = 2**64 - 1


class MessageError(Exception):
    """A message that was refused, or is to be: what an error reply carries.

    Attributes:
        code: one of `_protocol.ERROR_CODES`.
        message: what is wrong, one line.
        hint: what to do; may be empty.
        re: id of the request it answers, 0 if none could be read.
    """

    def __init__(self, code: str, message: str, hint: str = "", re: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.re = re


def _bad_field(name: str, rule: str) -> MessageError:
    return MessageError("bad_field", f"The field '{name}' {rule}.")


class Pairs(list[tuple[Any, Any]]):
    """A msgpack map as it came: keys of any type, perhaps repeated, until `as_map` checks them."""


class Rule(Protocol):
    """Checks one field; both directions raise MessageError(bad_field)."""

    def read(self, name: str, value: Any) -> Any:
        """The field's value from what msgpack gave."""
        ...

    def write(self, name: str, value: Any) -> Any:
        """What msgpack is given for the field's value."""
        ...


@dataclasses.dataclass(frozen=True)
class Text:
    bytes_maximum: int

    def read(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _bad_field(name, "must be text")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:  # bytes that were not UTF-8, see `unpack`
            size = self.bytes_maximum + 1
        if size > self.bytes_maximum:
            raise _bad_field(name, f"must be UTF-8 text of at most {self.bytes_maximum} bytes")
        return value

    write = read


@dataclasses.dataclass(frozen=True)
class Whole:
    low: int
    high: int

    def read(self, name: str, value: Any) -> int:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or not self.low <= value <= self.high:
            raise _bad_field(name, f"must be a whole number from {self.low} to {self.high}")
        return int(value)

    write = read


@dataclasses.dataclass(frozen=True)
class Real:
    low: float
    high: float

    def read(self, name: str, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not self.low <= value <= self.high:
            raise _bad_field(name, f"must be a number from {self.low} to {self.high}")
        return float(value)

    write = read


@dataclasses.dataclass(frozen=True)
class Object:
    cls: type

    def read(self, name: str, value: Any) -> Any:
        return read_fields(self.cls, as_map(name, value))

    def write(self, name: str, value: Any) -> dict[str, Any]:
        return write_fields(value)


@dataclasses.dataclass(frozen=True)
class List:
    cls: type
    entries_maximum: int

    def read(self, name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise _bad_field(name, "must be a list")
        self._check_entries(name, len(value))
        return tuple(read_fields(self.cls, as_map(name, entry)) for entry in value)

    def write(self, name: str, value: Any) -> list[dict[str, Any]]:
        self._check_entries(name, len(value))
        return [write_fields(entry) for entry in value]

    def _check_entries(self, name: str, entries: int) -> None:
        if entries > self.entries_maximum:
            raise _bad_field(name, f"must be a list of at most {self.entries_maximum} entries")


def of(rule: Rule, default: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that goes over the wire under its own name.

    Args:
        rule: checks it.
        default: stands for it where an older peer leaves it away; without one it is required.
    """
    return dataclasses.field(metadata={"rule": rule}, default=default)


def read_fields(cls: type, values: dict[str, Any]) -> Any:
    """An instance of a dataclass of `of` fields; keys it does not know are ignored.

    Raises:
        MessageError: bad_field.
    """
    read = {}
    for field in dataclasses.fields(cls):
        if field.name not in values:
            if field.default is not dataclasses.MISSING:
                continue
            raise _bad_field(field.name, "is missing")
        read[field.name] = field.metadata["rule"].read(field.name, values[field.name])
    return cls(**read)


def write_fields(message: Any) -> dict[str, Any]:
    """A message's fields for msgpack, in the order of the schema.

    Raises:
        MessageError: bad_field.
    """
    return {
        field.name: field.metadata["rule"].write(field.name, getattr(message, field.name))
        for field in dataclasses.fields(message)
    }


def as_map(name: str, value: Any) -> dict[str, Any]:
    """A map with distinct text keys.

    Raises:
        MessageError: bad_field.
    """
    if not isinstance(value, Pairs):
        raise _bad_field(name, "must be a map")
    if not all(isinstance(key, str) for key, _ in value):
        raise _bad_field(name, "must have text keys only")
    values = dict(value)
    if len(values) != len(value):
        raise _bad_field(name, "must not have a key twice")
    return values


def unpack(data: bytes) -> dict[str, Any]:
    """The map of a message, within the wire's limits.

    Raises:
        MessageError: bad_message, or bad_field for a key that is no text or comes twice.
    """
    if not 1 <= len(data) <= wire.MESSAGE_BYTES_MAXIMUM:
        raise MessageError(
            "bad_message",
            f"A message has 1 to {wire.MESSAGE_BYTES_MAXIMUM} bytes, not {len(data)}.",
        )
    hook: Callable[[Any], Pairs] = Pairs
    try:
        # surrogateescape: text that is no UTF-8 is the fault of its field, not of the message.
        value = msgpack.unpackb(
            data,
            object_pairs_hook=hook,
            strict_map_key=False,
            unicode_errors="surrogateescape",
            max_array_len=wire.MESSAGE_ENTRIES_MAXIMUM,
            max_map_len=wire.MESSAGE_ENTRIES_MAXIMUM,
        )
    except msgpack.ExtraData:
        raise MessageError("bad_message", "The message has bytes after its end.") from None
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        value = None
    if value is None or _depth(value) > wire.MESSAGE_DEPTH_MAXIMUM:
        raise MessageError(
            "bad_message",
            "The message is not valid msgpack, or nested or sized beyond the limits.",
        )
    if not isinstance(value, Pairs):
        raise MessageError("bad_message", "The message is not a map.")
    return as_map("message", value)


def pack(values: dict[str, Any]) -> bytes:
    """The bytes of a message.

    Raises:
        MessageError: bad_message if they are too many.
    """
    data: bytes = msgpack.packb(values)
    if len(data) > wire.MESSAGE_BYTES_MAXIMUM:
        raise MessageError(
            "bad_message", f"The message is longer than {wire.MESSAGE_BYTES_MAXIMUM} bytes."
        )
    return data


def _depth(value: Any) -> int:
    """Levels of maps and lists; msgpack itself stops far below Python's recursion limit."""
    if isinstance(value, Pairs):
        return 1 + max((max(_depth(key), _depth(entry)) for key, entry in value), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
