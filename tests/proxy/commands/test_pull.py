"""`moos pull` against a local server that answers as the hub does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from click.testing import CliRunner

from moosproxy.policies.files.load import load
from moosproxy.proxy.commands import pull

pytest.importorskip("huggingface_hub")

CONTENT = bytes(range(256)) * 90_000
REPO, FILE, REVISION = "some/model-GGUF", "model.gguf", "a" * 40


class Hub(BaseHTTPRequestHandler):
    """One file, whole or from an offset on. cut: so many bytes of a download, then the connection ends."""

    cut: ClassVar[int | None] = None
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_HEAD(self) -> None:
        if "/resolve/" not in self.path:
            self.asked.append((self.path, None))
        self._head(200, len(CONTENT))

    def do_GET(self) -> None:
        asked = self.headers.get("range")
        self.asked.append((self.path, asked))
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self._head(206 if asked else 200, len(CONTENT) - start, start if asked else None)
        body = CONTENT[start:]
        with suppress(ConnectionError):  # who has seen the end coming does not wait for it
            self.wfile.write(body if self.cut is None else body[: self.cut])

    def _head(self, status: int, length: int, start: int | None = None) -> None:
        if self.path != f"/{REPO}/resolve/{REVISION}/{FILE}":
            self.send_error(404)
            return
        self.send_response(status)
        self.send_header("ETag", f'"{hashlib.sha256(CONTENT).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", str(length))
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hub() -> Iterator[str]:
    """Where the server listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Hub.cut, Hub.asked = None, []
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(name: str, endpoint: str, cache: Path, sha256: str | None = None) -> subprocess.CompletedProcess[str]:
    """`moos pull` in a process of its own, as the hub's library reads its settings when it is imported."""
    digest = sha256 or hashlib.sha256(CONTENT).hexdigest()
    code = (
        "from moosproxy.proxy.commands import pull as p;"
        f"p.KNOWN['small'] = p.Known({REPO!r}, {REVISION!r}, {FILE!r}, {len(CONTENT)}, {digest!r}, 'MIT');"
        "p.pull()"
    )
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, name], env=environment, capture_output=True, text=True, check=False
    )


def test_a_model_comes_once_and_its_policy_is_valid(hub: str, tmp_path: Path) -> None:
    done = run("small", hub, tmp_path / "hf")
    assert done.returncode == 0, done.stderr
    policy = tmp_path / "moos.yaml"
    policy.write_text(done.stdout)
    upstream = load(policy).upstreams["local"]

    path = upstream.models["small"].path
    assert path is not None
    assert CONTENT == path.read_bytes()
    assert all("/resolve/" in place for place, _ in Hub.asked)
    Hub.asked.clear()
    assert run("small", hub, tmp_path / "hf").stdout == done.stdout
    assert [] == Hub.asked


def test_a_download_that_broke_off_goes_on(hub: str, tmp_path: Path) -> None:
    Hub.cut = 12_000_000
    done = run("small", hub, tmp_path / "hf")

    assert done.returncode == 0, done.stderr
    assert [None, "bytes=10485760-"] == [asked for _, asked in Hub.asked][:2]


def test_another_file_than_the_known_one_is_refused(hub: str, tmp_path: Path) -> None:
    done = run("small", hub, tmp_path / "hf", sha256="0" * 64)

    assert (1, "") == (done.returncode, done.stdout)
    assert "is not the file that was expected" in done.stderr


def test_without_a_network_it_says_what_to_do(tmp_path: Path) -> None:
    done = run("small", "http://127.0.0.1:9", tmp_path / "hf")

    assert done.returncode == 1
    assert f"{REPO}/resolve/{REVISION}/{FILE}" in done.stderr


def test_the_list_tells_size_and_licence() -> None:
    told = CliRunner().invoke(pull.pull).output.splitlines()

    assert len(pull.KNOWN) == len(told)
    assert all(
        known.licence in line and known.repo in line for known, line in zip(pull.KNOWN.values(), told, strict=True)
    )
    assert "no model 'gpt' is known" in CliRunner().invoke(pull.pull, ["gpt"]).output


@pytest.mark.parametrize("known", pull.KNOWN.values(), ids=list(pull.KNOWN))
def test_what_is_known_is_whole(known: pull.Known) -> None:
    assert (40, 64) == (len(bytes.fromhex(known.revision)) * 2, len(bytes.fromhex(known.sha256)) * 2)
    assert known.file.endswith(".gguf")
