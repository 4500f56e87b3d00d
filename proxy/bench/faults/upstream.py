"""An upstream that misbehaves as the request's `user` field says, byte by byte, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

PAUSE_S: Final = 0.1
SLOW_EVENTS: Final = 30
_BIG_EVENTS: Final = 4_000
_BIG_PIECE: Final = "word " * 2_000
_FOREVER_S: Final = 60.0
_CHUNKED: Final = "content-type: text/event-stream\r\ntransfer-encoding: chunked"


@dataclass(slots=True)
class Arrival:
    """A request as it came. gone: when its connection was closed by the proxy, on the monotonic clock."""

    user: str
    content: str
    connection: int
    gone: float | None = None


@dataclass(slots=True)
class Line:
    """One connection, and how many requests came over it before."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    stream: bool = False
    served: int = 0

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, fields: str) -> None:
        await self.send(f"HTTP/1.1 {status} Whatever\r\n{fields}\r\n\r\n".encode())

    async def reply(self, status: int, body: bytes, fields: str = "content-type: application/json") -> None:
        await self.head(status, f"content-length: {len(body)}\r\n{fields}")
        await self.send(body)

    async def events(self, count: int, pause_s: float = 0.0, text: str = "word ") -> None:
        """The head of a stream and some events; no end."""
        await self.head(200, _CHUNKED)
        chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
        for _ in range(count):
            await self.chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            await asyncio.sleep(pause_s)

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.chunk(b"data: [DONE]\n\n")
        await self.send(b"0\r\n\r\n")

    def abort(self) -> None:
        """A reset, without what is still to be written."""
        self.writer.transport.abort()


async def _ok(line: Line) -> None:
    if line.stream:
        await line.events(3)
        await line.end()
        return
    choice = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "stop"}
    await line.reply(200, json.dumps({"object": "chat.completion", "choices": [choice]}).encode())


async def _slow(line: Line) -> None:
    await line.events(SLOW_EVENTS, PAUSE_S)
    await line.end()


async def _late(line: Line) -> None:
    await asyncio.sleep(1.0)
    await _ok(line)


async def _big(line: Line) -> None:
    await line.events(_BIG_EVENTS, 0.0, _BIG_PIECE)
    await line.end()


async def _reset(line: Line) -> None:
    line.abort()


async def _reset_kept(line: Line) -> None:
    """Over a connection that has served before there is no answer."""
    if line.served:
        line.abort()
    else:
        await _ok(line)


async def _reset_stream(line: Line) -> None:
    await line.events(3, 0.05)
    line.abort()


async def _reset_event(line: Line) -> None:
    await line.events(3, 0.05)
    await line.chunk(b'data: {"choices": [{"delta"')
    await asyncio.sleep(0.05)
    line.abort()


async def _stall(line: Line) -> None:
    await asyncio.sleep(_FOREVER_S)


async def _stall_stream(line: Line) -> None:
    await line.events(3)
    await asyncio.sleep(_FOREVER_S)


async def _limited(line: Line) -> None:
    body = b'{"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}'
    await line.reply(429, body, "content-type: application/json\r\nretry-after: 7")


async def _failing(line: Line) -> None:
    body = b'{"error": {"message": "busy", "type": "server_error", "code": "engine_overloaded"}}'
    await line.reply(503, body)


async def _garbage(line: Line) -> None:
    await line.reply(200, b'{"choices": [\x00\xff\xfe garbage')


async def _no_http(line: Line) -> None:
    await line.send(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n")
    line.writer.close()


async def _short(line: Line) -> None:
    await line.head(200, "content-type: application/json\r\ncontent-length: 1000")
    await line.send(b'{"choices": [')
    line.writer.close()


async def _huge_headers(line: Line) -> None:
    await line.reply(200, b"{}", "x-huge: " + "h" * 300_000)


async def _redirect(line: Line) -> None:
    await line.reply(307, b"", "location: http://127.0.0.1:9/elsewhere")


_SCRIPTS: Final[dict[str, Callable[[Line], Awaitable[None]]]] = {
    script.__name__[1:]: script
    for script in (
        _ok, _slow, _late, _big, _reset, _reset_kept, _reset_stream, _reset_event, _stall, _stall_stream, _limited,
        _failing, _garbage, _no_http, _short, _huge_headers, _redirect,
    )
}  # fmt: skip


class BadUpstream:
    """The server, on a loop in a thread of its own. Use as a context."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.arrivals: list[Arrival] = []
        self._connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, work: Awaitable[Any]) -> Any:
        async def main() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result(30)

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def of(self, user: str) -> list[Arrival]:
        """Every time that this request came."""
        return [arrival for arrival in self.arrivals if arrival.user == user]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        line, number = Line(reader, writer), self._connections
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                body, last = await _request(reader)
                line.stream = bool(body.get("stream"))
                messages = body.get("messages") or [{}]
                arrival = Arrival(body.get("user", ""), messages[-1].get("content", ""), number)
                self.arrivals.append(arrival)
                await self._play(line, arrival)
                line.served += 1
                if last:
                    break
        writer.close()

    async def _play(self, line: Line, arrival: Arrival) -> None:
        """The script, until it ends or the proxy hangs up."""
        script = _SCRIPTS[arrival.user.partition(":")[0] or "ok"]
        playing = asyncio.ensure_future(script(line))
        while not playing.done():
            await asyncio.wait({playing}, timeout=0.02)
            if line.reader.at_eof() or line.writer.is_closing():
                arrival.gone = time.monotonic()
                playing.cancel()
                await asyncio.wait({playing})
                raise ConnectionError
        playing.result()


async def _request(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bool]:
    """The body, and whether it is the connection's last."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
    body = json.loads(await reader.readexactly(length) or b"{}")
    assert isinstance(body, dict)
    return body, "connection: close" in head
