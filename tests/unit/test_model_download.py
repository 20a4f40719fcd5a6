# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate models` against a repository on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from bandmate.models.mrt2.download import REPOSITORY, DownloadError, RemoteFile, check_space
from bandmate.models.mrt2.files import OfficialFiles

CHECKPOINT = "checkpoints/mrt2_small.safetensors"
CONTENT = {
    CHECKPOINT: os.urandom(24_000_000),  # more than the hub keeps before it writes any of it
    "resources/musiccoca/spm.model": b"words",
    "resources/spectrostream/encoder.safetensors": b"encoder",
    "README.md": b"not wanted",
}
HALF = len(CONTENT[CHECKPOINT]) // 2
COMMIT = "0123456789012345678901234567890123456789"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Repository(BaseHTTPRequestHandler):
    """The few answers of Hugging Face that a download needs."""

    damaged = False
    cut = False  # the checkpoint breaks off in the middle
    ranges: tuple[str, ...] = ()  # of the checkpoint that were asked for

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{REPOSITORY}"):
            files = [
                {
                    "rfilename": name,
                    "size": len(data),
                    "lfs": {"sha256": digest(data), "size": len(data), "pointerSize": 1},
                }
                for name, data in CONTENT.items()
            ]
            body = json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": files}).encode()
            self.answer(body, {"Content-Type": "application/json"})
            return
        name = path.split("/resolve/")[-1].split("/", 1)[-1]
        if name not in CONTENT:
            self.send_error(404)
            return
        data = CONTENT[name]
        etag = digest(data)
        if self.damaged and name == CHECKPOINT:
            data = data[:-1] + bytes([data[-1] ^ 1])
        begin = 0
        if name == CHECKPOINT and self.command == "GET":
            asked = self.headers.get("Range", "")
            type(self).ranges += (asked,)
            begin = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
            data = data[begin:]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"', "X-Linked-Etag": f'"{etag}"'}
        sizes = {"X-Linked-Size": str(len(CONTENT[name]))}
        if begin:
            sizes["Content-Range"] = f"bytes {begin}-{begin + len(data) - 1}/{len(CONTENT[name])}"
        self.answer(data, {**headers, **sizes}, 206 if begin else 200)

    def answer(self, body: bytes, headers: dict[str, str], status: int = 200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            cut = self.cut and len(body) > HALF
            self.wfile.write(body[:HALF] if cut else body)
            self.close_connection = True


@pytest.fixture
def server():
    handler = type("OwnRepository", (Repository,), {})
    instance = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=instance.serve_forever)
    thread.start()
    yield instance, handler
    instance.shutdown()
    thread.join()
    instance.server_close()


def models(tmp_path: Path, endpoint: str, *arguments: str) -> subprocess.CompletedProcess:
    environment = {
        **os.environ,
        "MAGENTA_HOME": str(tmp_path / "magenta"),
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-m", "bandmate", "models", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def test_download_verify_remove(tmp_path, server):
    endpoint = f"http://127.0.0.1:{server[0].server_port}"
    done = models(tmp_path, endpoint, "download", "mrt2_small", "--yes")
    assert done.returncode == 0, done.stderr
    assert "CC-BY-4.0" in done.stdout
    root = tmp_path / "magenta" / "magenta-rt-v2"
    assert (root / CHECKPOINT).read_bytes() == CONTENT[CHECKPOINT]
    assert (root / "resources/musiccoca/spm.model").is_file()
    assert not (root / "README.md").exists()

    again = models(tmp_path, endpoint, "download", "mrt2_small", "--yes")
    assert "complete" in again.stdout
    assert models(tmp_path, endpoint, "verify", "mrt2_small").returncode == 0
    (root / CHECKPOINT).write_bytes(b"x" * len(CONTENT[CHECKPOINT]))
    verified = models(tmp_path, endpoint, "verify", "mrt2_small")
    assert verified.returncode == 1
    assert "damaged" in verified.stdout

    assert models(tmp_path, endpoint, "remove", "mrt2_small", "--yes").returncode == 0
    assert not (root / CHECKPOINT).exists()
    assert (root / "resources/musiccoca/spm.model").is_file()


def test_damaged_download_is_removed(tmp_path, server):
    server[1].damaged = True
    endpoint = f"http://127.0.0.1:{server[0].server_port}"
    done = models(tmp_path, endpoint, "download", "mrt2_small", "--yes")
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not (tmp_path / "magenta" / "magenta-rt-v2" / CHECKPOINT).exists()


def test_an_interrupted_download_goes_on_where_it_ended(tmp_path, server):
    server[1].cut = True
    endpoint = f"http://127.0.0.1:{server[0].server_port}"
    done = models(tmp_path, endpoint, "download", "mrt2_small", "--yes")
    asked = server[1].ranges
    assert asked[0] == ""
    if done.returncode != 0:  # the hub's own tries may have gone on already
        server[1].cut = False
        done = models(tmp_path, endpoint, "download", "mrt2_small", "--yes")
        asked = server[1].ranges
    assert done.returncode == 0, done.stderr
    assert any(range_.startswith("bytes=") for range_ in asked), asked
    path = tmp_path / "magenta" / "magenta-rt-v2" / CHECKPOINT
    assert path.read_bytes() == CONTENT[CHECKPOINT]


def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path):
    files = OfficialFiles(tmp_path / "none" / "yet")
    check_space(files, [RemoteFile("small", 1, "")])
    with pytest.raises(DownloadError, match=r"GiB free, 9[0-9.]+ GiB are needed"):
        check_space(files, [RemoteFile("large", 10**15, "")])


def test_unreachable_says_so_in_one_line(tmp_path):
    done = models(tmp_path, "http://127.0.0.1:9", "download", "mrt2_small", "--yes")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_list_and_path(tmp_path):
    listed = json.loads(models(tmp_path, "", "list", "--json").stdout)
    states = {row["name"]: row["state"] for row in listed}
    assert states["mrt2_small"] == "not downloaded"
    assert states["testtone"] == "ready"
    printed = models(tmp_path, "", "path", "mrt2_small").stdout.strip()
    assert printed == str(tmp_path / "magenta" / "magenta-rt-v2" / CHECKPOINT)
