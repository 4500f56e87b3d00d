"""Replicas of a compressor tier on loopback: of this process, and in processes of their own that can be killed.

Run as `python -m tests.proxy.tier.replicas OPTIONS`, one JSON object with fingerprint, score_s and port. Says its
port on standard output, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import uvicorn

from moosproxy.compressor import CompressionSettings
from moosproxy.proxy.bench.sides import free_port
from moosproxy.proxy.connections.protocol import BoundedProtocol
from moosproxy.proxy.opening.serving import TierApp
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.tier.remote import RemoteService
from tests.proxy.fakes import FakeCompressor, prose
from tests.proxy.live import LiveProxy

TEXT = prose(200)
SHORT = " ".join(TEXT.split()[::2])
"""What the fake leaves of it."""


async def ask(service: RemoteService, text: str = TEXT, seconds: float = 5.0) -> str:
    """The short form, by a deadline in so many seconds."""
    result = await service.compress(text, CompressionSettings(), "team", time.monotonic() + seconds)
    return result.text


def live(compressor: Any = None, **settings: Any) -> LiveProxy:
    """A replica in a thread."""
    return LiveProxy(TierApp(Settings.model_validate(settings), compressor or FakeCompressor()))


@asynccontextmanager
async def remote(*urls: str, shared: Any = None, key: str | None = None) -> AsyncIterator[RemoteService]:
    """A proxy's end."""
    service = RemoteService(list(urls), key, shared, 3600)
    await service.open()
    try:
        yield service
    finally:
        await service.aclose()


class ReplicaProcess:
    """The parent's side."""

    def __init__(self, **options: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = {**options, "port": self.port}
        self.start()

    @classmethod
    def at(cls, port: int, **options: Any) -> Self:
        """One at a port that somebody knows already."""
        made = cls.__new__(cls)
        made.port, made.url = port, f"http://127.0.0.1:{port}"
        made._options = {**options, "port": port}
        made.start()
        return made

    def start(self, **options: Any) -> None:
        """Comes up at the same port, and waits until it listens."""
        self._options |= options
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.proxy.tier.replicas", json.dumps(self._options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.child.stdout
        assert self.child.stdout.readline().strip() == str(self.port)

    def kill(self) -> None:
        """Ends it in the middle of whatever it does."""
        self.child.send_signal(signal.SIGCONT)
        self.child.kill()
        self.child.communicate()

    def freeze(self) -> None:
        """Keeps its connections open and answers nothing."""
        self.child.send_signal(signal.SIGSTOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


async def serve(port: int, fingerprint: str = "fake-1", score_s: float = 0.0, skew: int = 0) -> None:
    """The child's side."""
    app = TierApp(Settings(), FakeCompressor(fingerprint=fingerprint, score_s=score_s, skew=skew))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, access_log=False, http=BoundedProtocol, ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event to wait for
        await asyncio.sleep(0.01)
    print(port, flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
