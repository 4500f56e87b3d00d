"""A real redis-server to hurt, and a link to it that can be made slow."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from moosproxy.proxy.bench.faults.box import stop
from moosproxy.proxy.bench.faults.scenario import CannotRun, until
from moosproxy.proxy.bench.sides import SideError, free_port


class RedisBox:
    """One server on one port, through all its restarts. Nothing of it is kept on disk."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        self.port = free_port()
        self.password = password
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Without a password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A blocking one."""
        return redis.Redis(port=self.port, password=self.password, socket_timeout=5)

    def start(self) -> None:
        """Raises SideError."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        secret = ["--requirepass", self.password] if self.password else []
        self._process = subprocess.Popen(  # noqa: S603
            [*command, "--save", "", "--appendonly", "no", *secret], stdout=subprocess.DEVNULL
        )
        if until(self._answers, 10) > 10:
            raise SideError("redis-server did not answer")

    def _answers(self) -> bool:
        with suppress(redis.ConnectionError), self.client() as inside:
            return bool(inside.ping())
        return False

    def kill(self) -> None:
        """At once, without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Stops it, or lets it go on."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def keys(self) -> int:
        """How many there are."""
        with self.client() as inside:
            return int(inside.dbsize())

    def configure(self, name: str, value: str) -> None:
        """CONFIG SET."""
        with self.client() as inside:
            inside.config_set(name, value)

    def close(self) -> None:
        """For good."""
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            stop(self._process)


@contextmanager
def redis_box(folder: Path, password: str | None = None) -> Iterator[RedisBox]:
    """A running server. Raises CannotRun where it is not installed."""
    if shutil.which("redis-server") is None:
        raise CannotRun("redis-server is not installed")
    server = RedisBox(folder, password)
    server.start()
    try:
        yield server
    finally:
        server.close()


class SlowLink:
    """Passes bytes on to a port, each after `delay_s`. Use as a context."""

    def __init__(self, target: int) -> None:
        self.delay_s = 0.0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> SlowLink:
        self._thread.start()
        starting = asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await asyncio.sleep(self.delay_s)
                sink.write(data)
                await sink.drain()
        finally:
            sink.close()
