# SPDX-License-Identifier: GPL-3.0-or-later
"""Control messages and their fields: protocol/PROTOCOL.md, section 4, as the C++ `messages.hpp`.

`codec` turns them into bytes and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bandmate import _protocol as wire
from bandmate.link.fields import (
    U32_MAXIMUM,
    U64_MAXIMUM,
    List,
    Object,
    Real,
    Text,
    Whole,
    of,
)

_NAME = Text(wire.NAME_BYTES_MAXIMUM)
_TEXT = Text(wire.TEXT_BYTES_MAXIMUM)
_U32 = Whole(0, U32_MAXIMUM)
_U64 = Whole(0, U64_MAXIMUM)
_SESSION = Whole(1, U32_MAXIMUM)
_VERSION = Whole(1, U32_MAXIMUM)
_MILLISECONDS = Real(0.0, wire.MILLISECONDS_MAXIMUM)


@dataclass(frozen=True)
class Frame:
    """The grid of a model: samples per channel at `sample_rate`."""

    sample_rate: int = of(Whole(wire.SAMPLE_RATE_MINIMUM, wire.SAMPLE_RATE_MAXIMUM))
    channels: int = of(Whole(1, wire.CHANNELS_MAXIMUM))
    frame_samples: int = of(Whole(1, wire.FRAME_SAMPLES_MAXIMUM))
    delay_samples: int = of(Whole(0, wire.FRAME_SAMPLES_MAXIMUM))


_FRAME = Object(Frame)


@dataclass(frozen=True)
class ModelInfo:
    """A model the server can open; `budget_ms` is what one frame may take on this machine."""

    name: str = of(_NAME)
    frame: Frame = of(_FRAME)  # noqa: RUF009 (a dataclass field)
    budget_ms: float = of(_MILLISECONDS)


@dataclass(frozen=True)
class Prompt:
    """One style slot: a text, or a sound that counts instead (from a `StyleSoundReply`)."""

    slot: int = of(Whole(0, wire.STYLE_SLOTS - 1))
    text: str = of(Text(wire.PROMPT_BYTES_MAXIMUM))
    sound: str = of(Text(wire.SOUND_BYTES_MAXIMUM), "")


@dataclass(frozen=True)
class SessionStatus:
    """A session as the server sees it. `revision` 0: no prompts in force yet."""

    session: int = of(_SESSION)
    model: str = of(_NAME)
    state: str = of(_NAME)
    revision: int = of(_U64)
    frames: int = of(_U64)
    slow_frames: int = of(_U64)
    frame_ms_p50: float = of(_MILLISECONDS)
    frame_ms_p99: float = of(_MILLISECONDS)
    note: str = of(_TEXT)


@dataclass(frozen=True)
class Hello:
    TYPE: ClassVar[str] = "hello"
    client: str = of(_NAME)
    protocol: int = of(_VERSION)


@dataclass(frozen=True)
class Open:
    TYPE: ClassVar[str] = "open"
    segment: str = of(Text(wire.PATH_BYTES_MAXIMUM))
    model: str = of(_NAME)
    seed: int = of(_U64)
    host: str = of(_NAME)


@dataclass(frozen=True)
class SetPrompts:
    """The whole set of prompts: a slot that is not listed becomes empty."""

    TYPE: ClassVar[str] = "set_prompts"
    session: int = of(_SESSION)
    revision: int = of(Whole(1, U64_MAXIMUM))
    prompts: tuple[Prompt, ...] = of(List(Prompt, wire.STYLE_SLOTS))


@dataclass(frozen=True)
class Status:
    """`session` 0 asks for all."""

    TYPE: ClassVar[str] = "status"
    session: int = of(_U32)


@dataclass(frozen=True)
class ListModels:
    TYPE: ClassVar[str] = "list_models"


@dataclass(frozen=True)
class Ping:
    TYPE: ClassVar[str] = "ping"


@dataclass(frozen=True)
class Close:
    TYPE: ClassVar[str] = "close"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class BankSave:
    """Writes the session's state, as it is between two frames, into a file."""

    TYPE: ClassVar[str] = "bank_save"
    session: int = of(_SESSION)
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))


@dataclass(frozen=True)
class BankLoad:
    """Makes a bank the reset target; an empty `path` the fresh state."""

    TYPE: ClassVar[str] = "bank_load"
    session: int = of(_SESSION)
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))


@dataclass(frozen=True)
class Prefill:
    """Makes the end of a sound file the reset target; an empty `path` silence."""

    TYPE: ClassVar[str] = "prefill"
    session: int = of(_SESSION)
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))


@dataclass(frozen=True)
class Reset:
    """Goes to the reset target; `rotation` other than 0 gives other random numbers."""

    TYPE: ClassVar[str] = "reset"
    session: int = of(_SESSION)
    rotation: int = of(_U32)


@dataclass(frozen=True)
class StyleSound:
    """Makes a style of the side chain's last `seconds`, or of a file's first."""

    TYPE: ClassVar[str] = "style_sound"
    session: int = of(_SESSION)
    slot: int = of(Whole(0, wire.STYLE_SLOTS - 1))
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))
    seconds: float = of(Real(wire.STYLE_SECONDS_MINIMUM, wire.STYLE_SECONDS_MAXIMUM))


@dataclass(frozen=True)
class ContinueFrom:
    """Goes on from the end of a file, or of the side chain; `bank` keeps where that is."""

    TYPE: ClassVar[str] = "continue_from"
    session: int = of(_SESSION)
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))
    seconds: float = of(Real(wire.STYLE_SECONDS_MINIMUM, wire.CLIP_SECONDS_MAXIMUM))
    bank: str = of(Text(wire.PATH_BYTES_MAXIMUM))


@dataclass(frozen=True)
class TakeSave:
    """Writes the last `seconds` of what was played, as sound and as notes."""

    TYPE: ClassVar[str] = "take_save"
    session: int = of(_SESSION)
    path: str = of(Text(wire.PATH_BYTES_MAXIMUM))
    seconds: float = of(Real(0.0, wire.TAKE_SECONDS_MAXIMUM))


@dataclass(frozen=True)
class Cancel:
    """Ends what the session's client still waits for."""

    TYPE: ClassVar[str] = "cancel"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class Shutdown:
    TYPE: ClassVar[str] = "shutdown"


@dataclass(frozen=True)
class HelloReply:
    TYPE: ClassVar[str] = "hello"
    server: str = of(_NAME)
    protocol: int = of(_VERSION)
    models: tuple[ModelInfo, ...] = of(List(ModelInfo, wire.MODELS_MAXIMUM))


@dataclass(frozen=True)
class OpenReply:
    TYPE: ClassVar[str] = "open"
    session: int = of(_SESSION)
    frame: Frame = of(_FRAME)  # noqa: RUF009 (a dataclass field)
    budget_ms: float = of(_MILLISECONDS)


@dataclass(frozen=True)
class SetPromptsReply:
    """`revision` is encoded and in force."""

    TYPE: ClassVar[str] = "set_prompts"
    session: int = of(_SESSION)
    revision: int = of(Whole(1, U64_MAXIMUM))


@dataclass(frozen=True)
class StatusReply:
    TYPE: ClassVar[str] = "status"
    sessions: tuple[SessionStatus, ...] = of(List(SessionStatus, wire.SESSIONS_MAXIMUM))


@dataclass(frozen=True)
class ListModelsReply:
    TYPE: ClassVar[str] = "list_models"
    models: tuple[ModelInfo, ...] = of(List(ModelInfo, wire.MODELS_MAXIMUM))


class PingReply(Ping):
    pass


class CloseReply(Close):
    pass


@dataclass(frozen=True)
class BankSaveReply:
    """The file is whole."""

    TYPE: ClassVar[str] = "bank_save"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class BankLoadReply:
    TYPE: ClassVar[str] = "bank_load"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class PrefillReply:
    TYPE: ClassVar[str] = "prefill"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class ResetReply:
    TYPE: ClassVar[str] = "reset"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class StyleSoundReply:
    """`sound` is for `Prompt`."""

    TYPE: ClassVar[str] = "style_sound"
    session: int = of(_SESSION)
    slot: int = of(Whole(0, wire.STYLE_SLOTS - 1))
    sound: str = of(Text(wire.SOUND_BYTES_MAXIMUM))


@dataclass(frozen=True)
class ContinueFromReply:
    TYPE: ClassVar[str] = "continue_from"
    session: int = of(_SESSION)


@dataclass(frozen=True)
class TakeSaveReply:
    """`seconds` were written."""

    TYPE: ClassVar[str] = "take_save"
    session: int = of(_SESSION)
    seconds: float = of(Real(0.0, wire.TAKE_SECONDS_MAXIMUM))


@dataclass(frozen=True)
class CancelReply:
    TYPE: ClassVar[str] = "cancel"
    session: int = of(_SESSION)


class ShutdownReply(Shutdown):
    pass


@dataclass(frozen=True)
class ErrorReply:
    """A refused request; it changed nothing."""

    TYPE: ClassVar[str] = "error"
    code: str = of(_NAME)
    message: str = of(_TEXT)
    hint: str = of(_TEXT)


class StatusPush(SessionStatus):
    TYPE: ClassVar[str] = "status"


@dataclass(frozen=True)
class Closed:
    """The server has ended this session; others are not touched."""

    TYPE: ClassVar[str] = "closed"
    session: int = of(_SESSION)
    reason: str = of(_TEXT)


@dataclass(frozen=True)
class Progress:
    """How far a request that takes its time has got; `task` is its type."""

    TYPE: ClassVar[str] = "progress"
    session: int = of(_SESSION)
    task: str = of(_NAME)
    share: float = of(Real(0.0, 1.0))


RequestBody = (
    Hello
    | Open
    | SetPrompts
    | Status
    | ListModels
    | Ping
    | Close
    | BankSave
    | BankLoad
    | Prefill
    | Reset
    | StyleSound
    | ContinueFrom
    | TakeSave
    | Cancel
    | Shutdown
)
ReplyBody = (
    ErrorReply
    | HelloReply
    | OpenReply
    | SetPromptsReply
    | StatusReply
    | ListModelsReply
    | PingReply
    | CloseReply
    | BankSaveReply
    | BankLoadReply
    | PrefillReply
    | ResetReply
    | StyleSoundReply
    | ContinueFromReply
    | TakeSaveReply
    | CancelReply
    | ShutdownReply
)
PushBody = StatusPush | Closed | Progress


@dataclass(frozen=True)
class Request:
    """`id` is chosen by the client and comes back as the reply's `re`."""

    id: int
    token: str
    body: RequestBody


@dataclass(frozen=True)
class Reply:
    re: int
    body: ReplyBody


@dataclass(frozen=True)
class Push:
    body: PushBody
