# SPDX-License-Identifier: Apache-2.0
"""The wire between plugin and server, over the C++ headers of protocol/ (see PROTOCOL.md there).

All counts are model samples or frames. Threads: calls hold the GIL, so all Python threads together
are one producer and one consumer of each ring; only the waits release it.
"""

from collections.abc import Sequence
from enum import IntEnum
from os import PathLike
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

MESSAGE_VERSION: Final[int]
MESSAGE_VERSION_MINIMUM: Final[int]
LAYOUT_VERSION: Final[int]
HEADER_BYTES: Final[int]
STREAM_VERSION: Final[int]
STREAM_MAGIC: Final[bytes]
STREAM_EVENTS_MAXIMUM: Final[int]
STREAM_BYTES_MAXIMUM: Final[int]
STREAM_HELD_UNKNOWN: Final[int]
TICKET_BYTES: Final[int]
STYLE_SLOTS: Final[int]

MESSAGE_BYTES_MAXIMUM: Final[int]
MESSAGE_ENTRIES_MAXIMUM: Final[int]
MESSAGE_DEPTH_MAXIMUM: Final[int]
NAME_BYTES_MAXIMUM: Final[int]
TOKEN_BYTES_MAXIMUM: Final[int]
TEXT_BYTES_MAXIMUM: Final[int]
PATH_BYTES_MAXIMUM: Final[int]
PROMPT_BYTES_MAXIMUM: Final[int]
MODELS_MAXIMUM: Final[int]
SESSIONS_MAXIMUM: Final[int]
SAMPLE_RATE_MINIMUM: Final[int]
SAMPLE_RATE_MAXIMUM: Final[int]
CHANNELS_MAXIMUM: Final[int]
FRAME_SAMPLES_MAXIMUM: Final[int]
MILLISECONDS_MAXIMUM: Final[float]

ERROR_CODES: Final[tuple[str, ...]]

EVENT_DTYPE: Final[np.dtype[np.void]]
"""Fields of an event record: time u8, type u2, channel u2, index u4, value f8, aux u8."""

ANY_CHANNEL: Final[int]
ANY_PITCH: Final[int]
FRAME_SILENCE: Final[int]
FRAME_GAP: Final[int]
TRANSPORT_PLAYING: Final[int]
TRANSPORT_RECORDING: Final[int]
TRANSPORT_LOOPING: Final[int]

class Error(Exception):
    """A segment or message that was refused.

    Attributes:
        code: one of ERROR_CODES.
        message: what is wrong, one line.
        hint: what to do; may be empty.
    """

    code: str
    message: str
    hint: str

class EventType(IntEnum):
    EPOCH = 1
    NOTE_ON = 2
    NOTE_OFF = 3
    CONTROL = 4
    PITCH_BEND = 5
    PRESSURE = 6
    ALL_NOTES_OFF = 7
    PARAMETER = 8
    TRANSPORT = 9

class ServerState(IntEnum):
    NONE = 0
    LOADING = 1
    READY = 2
    FAILED = 3
    CLOSED = 4

SERVER_STATE_NAMES: Final[dict[ServerState, str]]

class ParameterId(IntEnum):
    STYLE_WEIGHT_0 = 0
    STYLE_WEIGHT_1 = 1
    STYLE_WEIGHT_2 = 2
    STYLE_WEIGHT_3 = 3
    STYLE_WEIGHT_4 = 4
    STYLE_WEIGHT_5 = 5
    TEMPERATURE = 6
    TOP_K = 7
    GUIDANCE_STYLE = 8
    GUIDANCE_NOTES = 9
    GUIDANCE_DRUMS = 10
    DRUMS = 11
    STRUM = 12
    MIDI_GATE = 13
    UNMASK_WIDTH = 14
    SEED = 15

class Parameter:
    """A row of the parameter table."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def minimum(self) -> float: ...
    @property
    def maximum(self) -> float: ...
    @property
    def initial(self) -> float: ...
    @property
    def is_whole(self) -> bool: ...

PARAMETERS: Final[tuple[Parameter, ...]]
"""Entry i has id i."""

def is_legal_parameter(id: int, value: float) -> bool: ...
def is_legal_event(record: NDArray[np.uint8]) -> bool:
    """Whether the 32 bytes of an event record are within their type's ranges."""

def describe(
    sample_rate: int,
    channels: int,
    frame_samples: int,
    event_slots: int,
    audio_slots: int,
    creator_pid: int,
    nonce: bytes,
) -> bytes:
    """The segment description (its first bytes) that a shape leads to.

    Raises:
        Error: no segment may have this shape.
    """

def monotonic_ns() -> int:
    """The clock of the heartbeats, in nanoseconds; only differences mean anything."""

def wait_due(
    targets: Sequence[tuple[Segment, int, int]], due_s: float, timeout_s: float
) -> tuple[list[int], float]:
    """As `wait_any`, looking seldom until shortly before `due_s` and closely from then on.

    Args:
        due_s: when the first target may be reached, seconds from now.
        timeout_s: at most a second or so: Ctrl-C is looked for afterwards.

    Returns:
        Indices as of `wait_any`, and for how many seconds nobody had looked before they were seen.
    """

def wait_any(targets: Sequence[tuple[Segment, int, int]], timeout_s: float) -> list[int]:
    """Waits, without the GIL, until one of (segment, epoch, until) is published.

    Returns:
        Indices of all targets that are reached or overtaken by a newer epoch; empty at the timeout.
    """

class Segment:
    """One session's shared memory. Every method raises Error after `close`.

    The server attaches; `create` and the methods under "plugin's ends" serve tests and tools.
    """

    @staticmethod
    def attach(path: str | PathLike[str]) -> Segment:
        """Maps and checks a segment.

        Raises:
            Error: bad_segment, unsupported_version or io.
        """

    @staticmethod
    def create(
        path: str | PathLike[str],
        sample_rate: int,
        channels: int,
        frame_samples: int,
        event_slots: int = ...,
        audio_slots: int = ...,
    ) -> Segment:
        """Makes the file, readable by this user only; it must not exist. Slots are powers of two.

        Raises:
            Error: bad_segment (impossible shape) or io (the system refused).
        """

    def close(self) -> None:
        """Lets go of the mapping (a running wait keeps it until it returns). May be repeated."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        type: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    # Description: constant.
    @property
    def sample_rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def frame_samples(self) -> int: ...
    @property
    def creator_pid(self) -> int: ...
    @property
    def total_bytes(self) -> int: ...
    @property
    def event_slots(self) -> int: ...
    @property
    def audio_out_slots(self) -> int: ...
    @property
    def audio_in_slots(self) -> int: ...
    @property
    def nonce(self) -> bytes: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def is_broken(self) -> bool:
        """A ring count of the other side could not be: close the session."""

    # Server's ends.
    def published(self) -> tuple[int, int] | None:
        """(epoch, until): events of `epoch` with time < until are in the ring; epoch 0: none yet.

        None if the plugin was met in the middle of storing it, in every one of many tries.
        """

    def wait_published(self, epoch: int, until: int, timeout_s: float) -> tuple[int, int] | None:
        """Waits, without the GIL, until `until` of `epoch` or any newer epoch is published.

        Returns:
            The position as `published`, or None at the timeout.
        """

    def enter_newest_epoch(self) -> tuple[int, int] | None:
        """Drops everything before the newest EPOCH record in the ring and enters that epoch.

        Returns:
            (epoch, seed), or None, with nothing dropped, when no new epoch is there.
        """

    def read_events(self, until: int, maximum: int = ...) -> NDArray[np.void]:
        """Takes the current epoch's events with time < until, never past a new epoch's start.

        Returns:
            EVENT_DTYPE [n <= maximum], in order; n < maximum means that none is left for now.
        """

    def write_frame(
        self, epoch: int, index: int, samples: NDArray[np.float32], flags: int = 0
    ) -> bool:
        """Writes frame `index` of audio out.

        Args:
            samples: float32 [frame_samples, channels], contiguous and finite.
            flags: FRAME_SILENCE, FRAME_GAP.

        Returns:
            False if the ring is full: nothing was written, try again later.
        """

    def read_input_frame(self) -> tuple[int, int, int, NDArray[np.float32]] | None:
        """Takes the oldest frame of audio in.

        Returns:
            (epoch, index, flags, samples [frame_samples, channels], non-finite ones as 0) or None.
        """

    def beat(self) -> None:
        """Renews the server's heartbeat; due at least twice a second."""

    server_state: ServerState
    server_epoch: int
    server_frames: int
    @property
    def server_heartbeat_ns(self) -> int: ...
    @property
    def plugin_heartbeat(self) -> int:
        """A count that rises at least twice a second while the plugin lives."""

    @property
    def underruns(self) -> int: ...
    @property
    def lost_events(self) -> int: ...
    @property
    def late_frames(self) -> int: ...
    @property
    def is_offline(self) -> bool: ...
    @property
    def refused_events(self) -> int:
        """Illegal records that `read_events` skipped."""

    @property
    def waiting_events(self) -> int: ...
    @property
    def free_frames(self) -> int:
        """Frames that can be written now."""

    # Plugin's ends.
    def push_events(self, events: NDArray[Any]) -> int:
        """Pushes EVENT_DTYPE [n]; returns how many fitted."""

    def publish(self, epoch: int, until: int) -> None: ...
    def read_frame(self) -> tuple[int, int, int, NDArray[np.float32]] | None: ...
    def write_input_frame(
        self, epoch: int, index: int, samples: NDArray[np.float32], flags: int = 0
    ) -> bool: ...
    def plugin_beat(self) -> None: ...

class ServerStreamEnd:
    """Beside a session whose plugin is on another machine: plays the plugin's side of its segment.

    One thread. Messages are PROTOCOL.md, section 7.
    """

    def __init__(self, segment: Segment, ticket: bytes) -> None:
        """Args:
        segment: the one that the session attaches; from here on this end alone plays its plugin.
        ticket: TICKET_BYTES that every message carries.
        """

    def take(self, data: bytes) -> None:
        """A message from the plugin.

        Raises:
            Error: it is damaged, one before it was lost, or there is no room for what it brings.
                The stream is of no more use then: close the session.
        """

    def next(self) -> bytes | None:
        """The next message that is due, None when none is."""

    @property
    def is_over(self) -> bool:
        """Whether the session has ended and the plugin has been sent so."""

class PluginStreamEnd:
    """Beside a plugin whose server is elsewhere: plays the server's side of its segment."""

    def __init__(self, segment: Segment, ticket: bytes) -> None: ...
    def take(self, data: bytes) -> None:
        """A message from the server; raises as `ServerStreamEnd.take`."""

    def next(self) -> bytes | None:
        """The next message that is due, None when none is."""

def encode_stream_input(
    ticket: bytes, sequence: int, fields: dict[str, int], events: NDArray[Any]
) -> bytes:
    """An input message with EVENT_DTYPE [n] events. Raises Error(bad_field)."""

def encode_stream_sound(
    is_side_chain: bool,
    ticket: bytes,
    sequence: int,
    fields: dict[str, int],
    samples: NDArray[np.float32],
) -> bytes:
    """A frame [frame_samples, channels], to the server or from it. Raises Error(bad_field)."""

def encode_stream_state(ticket: bytes, sequence: int, fields: dict[str, int]) -> bytes:
    """A state message. Raises Error(bad_field)."""

def decode_stream(data: bytes) -> dict[str, Any]:
    """`kind`, `ticket`, `sequence`, `fields` and `data` (events or samples) of a stream's message.

    Raises:
        Error: bad_message, bad_field, unknown_type or unsupported_version.
    """
