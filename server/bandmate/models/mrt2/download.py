# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting the official files, keeping their checksums, and taking them away again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandmate.errors import BandmateError
from bandmate.models.mrt2.files import OfficialFiles
from bandmate.models.mrt2.musiccoca import (
    AUDIO_PREPROCESSOR,
    EXTRA,
    MAPPER,
    MUSIC_ENCODER,
    QUANTIZER,
    TEXT_ENCODER,
    VOCABULARY,
)

REPOSITORY = "google/magenta-realtime-2"
MANIFEST = "bandmate-checksums.json"
SPARE_BYTES = 512 * 2**20  # left free on the disk after a download
_PIECE = 1 << 20
_STYLE_FILES = (
    TEXT_ENCODER,
    AUDIO_PREPROCESSOR,
    MUSIC_ENCODER,
    QUANTIZER,
    MAPPER,
    VOCABULARY,
)


class DownloadError(BandmateError):
    """Files that cannot be fetched, or are not what they should be."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of the repository.

    Attributes:
        name: path inside the repository, which is also its path below the root on disk.
        size: bytes.
        sha256: its checksum, or "" where the repository gives none.
    """

    name: str
    size: int
    sha256: str


def wanted_names(model: str) -> list[str]:
    """Paths of all files a model needs, the large one last. Those absent remotely are left out."""
    style = [f"resources/musiccoca/{name}" for name in _STYLE_FILES]
    encoder = "resources/spectrostream/encoder.safetensors"
    return [*style, encoder, f"checkpoints/{model}.safetensors"]


def remote_files(model: str) -> list[RemoteFile]:
    """What has to be fetched for a model.

    Raises:
        DownloadError: the repository cannot be reached or lacks the checkpoint.
    """
    hub = _hub()
    wanted = wanted_names(model)
    with _plain_errors(hub):
        info = hub.HfApi().model_info(REPOSITORY, files_metadata=True)
    found = {file.rfilename: file for file in info.siblings or ()}
    if wanted[-1] not in found:
        raise DownloadError(f"{REPOSITORY} has no {wanted[-1]}. Is the model's name right?")
    return [
        RemoteFile(name, found[name].size or 0, found[name].lfs.sha256 if found[name].lfs else "")
        for name in wanted
        if name in found
    ]


def missing(files: OfficialFiles, remote: list[RemoteFile]) -> list[RemoteFile]:
    """Those that are not on disk with the right size."""
    return [
        file
        for file in remote
        if not (files.root / file.name).is_file()
        or (files.root / file.name).stat().st_size != file.size
    ]


def check_space(files: OfficialFiles, remote: list[RemoteFile]) -> None:
    """Raises DownloadError if the disk would be nearly full afterwards."""
    folder = files.root
    while not folder.exists():
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, sum(file.size for file in remote)
    if needed + SPARE_BYTES > free:
        raise DownloadError(
            f"{folder} has {free / 2**30:.1f} GiB free, {(needed + SPARE_BYTES) / 2**30:.1f} GiB "
            "are needed. Make room, or set MAGENTA_HOME to another disk."
        )


def download(files: OfficialFiles, file: RemoteFile) -> Path:
    """Fetches one file, going on where an earlier try ended, and checks its checksum.

    Raises:
        DownloadError: it cannot be fetched or stored, or arrives damaged (it is removed then).
    """
    hub = _hub()
    with _plain_errors(hub):
        hub.hf_hub_download(REPOSITORY, file.name, local_dir=files.root)
    path = files.root / file.name
    found = sha256(path)
    if file.sha256 and found != file.sha256:
        path.unlink()
        raise DownloadError(f"{file.name} arrived damaged and was removed. Try again.")
    entries = read_manifest(files)
    entries[file.name] = {"sha256": found, "size": path.stat().st_size}
    _manifest_path(files).write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return path


def verify(files: OfficialFiles, names: list[str]) -> Iterator[tuple[str, str]]:
    """Compares files on disk with their checksums: (name, "" or what is wrong), one by one."""
    entries = read_manifest(files)
    for name in names:
        path = files.root / name
        if not path.is_file():
            yield name, "missing"
        elif name not in entries:
            yield name, "no checksum is known, for it was not downloaded by Bandmate"
        elif (
            path.stat().st_size != entries[name]["size"] or sha256(path) != entries[name]["sha256"]
        ):
            yield name, "damaged: download it again"
        else:
            yield name, ""


def read_manifest(files: OfficialFiles) -> dict[str, dict[str, Any]]:
    """Checksums of what was downloaded; empty if nothing was, or the file is unreadable."""
    try:
        entries = json.loads(_manifest_path(files).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def remove(files: OfficialFiles, model: str) -> list[Path]:
    """Deletes a model's own files (what models share stays); returns them."""
    own = [files.checkpoint(model), files.exported(model), files.exported_state(model)]
    removed = [path for path in own if path.is_file()]
    for path in removed:
        path.unlink()
    return removed


def sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """A file's checksum."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            if progress is not None:
                progress(len(piece))
    return digest.hexdigest()


def _manifest_path(files: OfficialFiles) -> Path:
    return files.root / MANIFEST


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise DownloadError(f"Downloads need huggingface_hub: {EXTRA}.") from error
    return huggingface_hub


class _plain_errors:  # noqa: N801  (used as a statement)
    """Turns what the hub raises into one line that says what to do."""

    def __init__(self, hub: Any):
        self._hub = hub

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            return
        errors = self._hub.errors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, errors.RepositoryNotFoundError | errors.EntryNotFoundError):
            raise DownloadError(f"{REPOSITORY} does not have it: {reason}") from error
        if isinstance(error, errors.HfHubHTTPError):
            raise DownloadError(f"Hugging Face refused: {reason}") from error
        if isinstance(error, OSError | errors.OfflineModeIsEnabled) or "httpx" in str(kind):
            raise DownloadError(
                f"Hugging Face cannot be reached ({reason}). Check the connection, or copy the "
                "files to where `bandmate models path` says."
            ) from error
