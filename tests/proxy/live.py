"""Real servers on loopback, each on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from moosproxy.proxy.connections.protocol import BoundedProtocol


class LoopThread:
    """An event loop in a thread, until stop()."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    def _main(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def run(self, work: Awaitable[Any]) -> Any:
        """Waits for a coroutine that runs over there."""

        async def main() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(main(), self.loop).result(30)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


class LiveProxy:
    """An ASGI application under uvicorn, with the options that `moos serve` uses."""

    def __init__(self, app: Any) -> None:
        self.app = app
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, access_log=False,
            server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=2,
            http=BoundedProtocol, ws="none",
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> LiveProxy:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the proxy did not start")
            self._thread.join(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(15)

    @property
    def url(self) -> str:
        """Without /v1."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Received:
    """A request as it came in over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


Answering = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request and the raw connection to answer it on."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Raw bytes, at once."""
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int = 200, *headers: tuple[str, str]) -> None:
        """Status line and headers."""
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        """A whole answer."""
        kind = [] if any(name == "content-type" for name, _ in headers) else [("content-type", "application/json")]
        await self.head(status, ("content-length", str(len(body))), *kind, *headers)
        await self.send(body)

    async def stream(self, *chunks: bytes, pause_s: float = 0.0) -> None:
        """A chunked event stream."""
        await self.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        for chunk in chunks:
            await self.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await asyncio.sleep(pause_s)
        await self.send(b"0\r\n\r\n")

    async def broken_stream(self) -> None:
        """One event, and then the connection is closed in the middle of the stream."""
        await self.head(200, ("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        await self.send(b"a\r\ndata: {}\n\n\r\n")
        self.writer.close()

    async def gone(self, within_s: float) -> bool:
        """Whether the other side hangs up in time."""
        with suppress(TimeoutError, ConnectionError):
            return await asyncio.wait_for(self.reader.read(1), within_s) == b""
        return False


@dataclass
class ScriptedUpstream:
    """An HTTP server whose every byte a test decides. A word in the request's body or path chooses the script."""

    scripts: dict[str, Answering] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> ScriptedUpstream:
        self.thread = LoopThread()
        self._server = self.thread.run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._connections: set[asyncio.StreamWriter] = set()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.run(self._close())
        self.thread.stop()

    async def _close(self) -> None:
        self._server.close()
        for writer in list(self._connections):
            writer.close()
        await self._server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def url(self) -> str:
        """With /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    def last(self, word: str) -> Received:
        """The latest request that holds this word."""
        return next(r for r in reversed(self.received) if word in r.target or word.encode() in r.body)

    def all(self, word: str) -> list[Received]:
        """Every request that holds this word."""
        return [r for r in self.received if word in r.target or word.encode() in r.body]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while (request := await self._read(reader)) is not None:
                self.received.append(request)
                for word, script in list(self.scripts.items()):
                    if word in request.target or word.encode() in request.body:
                        await script(Exchange(request, reader, writer))
                        break
                else:
                    await Exchange(request, reader, writer).reply(200, b"{}")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Received | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        return Received(method, target, headers, await reader.readexactly(length))
