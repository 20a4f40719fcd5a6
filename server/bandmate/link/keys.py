# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may play through the network: the server's key pair, and the one that its clients share.

CURVE authenticates both ends: a plugin knows the server by its public key, the server knows a
plugin by the clients' key pair. The access key that a user copies into a plugin is the first one's
public half and the second one's secret half, so it is a secret itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from bandmate.errors import BandmateError
from bandmate.paths import config_dir

FILE_NAME = "server.key"
PREFIX = "bm1"  # of an access key, before its hex digits
KEY_BYTES = 32
ACCESS_KEY_LENGTH = len(PREFIX) + 2 * 2 * KEY_BYTES


class KeyFileError(BandmateError):
    """The keys cannot be read or kept."""


@dataclass(frozen=True)
class ServerKeys:
    """Z85 texts, as ZeroMQ takes them.

    Attributes:
        server_secret: of the server's own pair.
        client_secret: of the pair that all its clients have.
    """

    server_secret: bytes
    client_secret: bytes

    @property
    def client_public(self) -> bytes:
        """By which the server knows a client."""
        return bytes(zmq.curve_public(self.client_secret))

    @property
    def access_key(self) -> str:
        """What a user copies into the plugin."""
        server_public = z85.decode(zmq.curve_public(self.server_secret))
        raw = server_public + z85.decode(self.client_secret)
        return PREFIX + raw.hex()


def key_file() -> Path:
    """Where the keys are kept, readable by this user only."""
    return config_dir() / FILE_NAME


def split_access_key(text: str) -> tuple[bytes, bytes]:
    """The server's public and the clients' secret key, as Z85, of an access key.

    Raises:
        KeyFileError: it is none.
    """
    text = text.strip()
    raw = b""
    with contextlib.suppress(ValueError):
        raw = bytes.fromhex(text.removeprefix(PREFIX))
    if len(text) != ACCESS_KEY_LENGTH or len(raw) != 2 * KEY_BYTES:
        raise KeyFileError(
            f"This is no access key: one begins with {PREFIX} and has {ACCESS_KEY_LENGTH} "
            "characters. `bandmate key` prints it on the server's machine."
        )
    return z85.encode(raw[:KEY_BYTES]), z85.encode(raw[KEY_BYTES:])


def show_key(client: zmq.Socket[bytes], access_key: str) -> None:
    """Lets a socket in where the key opens. Before it connects. Raises KeyFileError."""
    server_public, secret = split_access_key(access_key)
    client.curve_serverkey = server_public
    client.curve_secretkey = secret
    client.curve_publickey = zmq.curve_public(secret)


def load_or_make_keys() -> ServerKeys:
    """The kept keys; new ones if there are none yet.

    Raises:
        KeyFileError: they cannot be read or written, or others may read them.
    """
    return _read() or make_keys()


def make_keys() -> ServerKeys:
    """New keys in the place of the old, which open nothing from the server's next start on.

    Raises:
        KeyFileError: they cannot be written.
    """
    keys = ServerKeys(zmq.curve_keypair()[1], zmq.curve_keypair()[1])
    path = key_file()
    content = {
        "server_secret": keys.server_secret.decode(),
        "client_secret": keys.client_secret.decode(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump(content, file)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be written: {error.strerror}. Without keys nobody may play through the "
            "network. Free space there or set BANDMATE_CONFIG_DIR to a folder of yours."
        ) from error
    return keys


def _read() -> ServerKeys | None:
    path = key_file()
    try:
        with path.open(encoding="ascii") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyFileError(
                    f"{path} may be read by others. Make new keys with `bandmate key --new`."
                )
            content = json.load(file)
        secrets = [content[name].encode() for name in ("server_secret", "client_secret")]
        for secret in secrets:
            zmq.curve_public(secret)  # refuses what is no key
        return ServerKeys(*secrets)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, zmq.ZMQError) as error:
        raise KeyFileError(
            f"{path} holds no keys. Make new ones with `bandmate key --new`."
        ) from error
