"""A whole proxy in a process of its own, with a compressor that stalls while a file is there.

Run as `python -m tests.proxy.stability.proxy_process OPTIONS`, one JSON object with policies, stall_file
and redis_url or cache_dir. Says its port on standard output, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import uvicorn

from moosproxy.policies.files.load import load
from moosproxy.proxy.app import create_app
from moosproxy.proxy.settings import Settings
from tests.proxy.fakes import FakeCompressor, FakeWindow

STALL_S = 1.0


class StallingCompressor(FakeCompressor):
    """Takes a second a batch while the file is there."""

    def __init__(self, stall_file: Path) -> None:
        super().__init__()
        self._stall_file = stall_file

    def score(self, windows: Sequence[FakeWindow]) -> list[int]:
        if self._stall_file.exists():
            time.sleep(STALL_S)
        return super().score(windows)


class ProxyProcess:
    """The parent's side."""

    def __init__(self, **options: Any) -> None:
        self._command = [sys.executable, "-m", "tests.proxy.stability.proxy_process", json.dumps(options)]
        self._start()

    def _start(self) -> None:
        self._child = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._child.stdout
        self.port = int(self._child.stdout.readline())

    def restart(self) -> None:
        """End the process and start a fresh one, on another port."""
        self.close()
        self._start()

    def kill(self) -> None:
        """End the process in the middle of whatever it does, and start a fresh one, on another port."""
        self._child.kill()
        self._child.communicate()
        self._start()

    def close(self) -> None:
        """End the process."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.close()
        self._child.wait(20)
        self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def serve(policies: str, stall_file: str, **shared: str) -> None:
    """The child's side."""
    settings = Settings.model_validate({**shared, "redis_timeout_ms": 2_000})
    app = create_app(settings, load(Path(policies)), StallingCompressor(Path(stall_file)))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
