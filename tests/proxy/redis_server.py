"""A real redis-server on a free loopback port. Import `running_server`: the fixture is called `redis_server`."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from moosproxy.proxy.bench.sides import free_port


class RedisServer:
    """Starts, stops, kills, freezes and restarts one server; its data survive a restart only if saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._client_options: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A blocking client for looking inside."""
        return redis.Redis(port=self.port, **self._client_options)

    def start(self, *options: str, **client_options: Any) -> None:
        """Start it and wait until it answers. client_options: how to reach it, where that is not plain."""
        self._client_options = client_options
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self._process = subprocess.Popen(
            [*command, "--save", "", "--appendonly", "no", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except (redis.ConnectionError, redis.AuthenticationError) as error:
                if isinstance(error, redis.AuthenticationError):
                    return
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, without a goodbye to its clients."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Keep its connections open and answer nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after freeze()."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture(name="redis_server")
def running_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()
