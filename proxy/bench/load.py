"""A lean HTTP client that measures: fixed requests over kept connections, so that it costs little itself."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import orjson

_READ = 65536


@dataclass(slots=True)
class Load:
    """One measurement. Times in seconds from the request to the first body byte and to the last."""

    seconds: float = 0.0
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.whole) / self.seconds if self.seconds else 0.0


def chat_request(port: int, *, stream: bool, key: str = "sk-bench") -> bytes:
    """The bytes of a small chat completion request."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say something. " * 8}]
    body = orjson.dumps({"model": "bench", "messages": messages, "stream": stream})
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\naccept: */*\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def measure(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Keeps `connections` requests in flight for `seconds`."""
    load = Load()
    began = time.perf_counter()
    until = began + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_client(port, request, until, load))
    load.seconds = time.perf_counter() - began
    return load


async def _client(port: int, request: bytes, until: float, load: Load) -> None:
    while time.perf_counter() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < until:
                await _one(reader, writer, request, load)
        except (OSError, ValueError, asyncio.IncompleteReadError):
            load.failed += 1
        finally:
            writer.close()


async def _one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, load: Load) -> None:
    began = time.perf_counter()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200"):
        raise ValueError("not a 200")
    if b"transfer-encoding: chunked" in head:
        first = await _chunked(reader)
    else:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if b"choices" not in body:
            raise ValueError("not an answer")
        first = time.perf_counter()
    load.first.append(first - began)
    load.whole.append(time.perf_counter() - began)


async def _chunked(reader: asyncio.StreamReader) -> float:
    """Reads a chunked body to its end; the time of its first byte."""
    data = await reader.read(_READ)
    first = time.perf_counter()
    tail = data[-5:]
    while tail != b"0\r\n\r\n":
        data = await reader.read(_READ)
        if not data:
            raise ValueError("the answer broke off")
        tail = (tail + data)[-5:]
    return first
