"""A raw HTTP client for tests that look at bytes and moments, and request texts of a known size."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

_numbers = itertools.count()


def fresh(word: str) -> str:
    """A word that no other test uses."""
    return f"{word}-{next(_numbers)}x"


def long_text(words: int = 200, seed: str = "word") -> str:
    """A text of that many different words."""
    return " ".join(f"{seed}{number}" for number in range(words))


def chat(model: str, *contents: str, **fields: Any) -> dict[str, Any]:
    """A chat completion request with user messages."""
    messages = [{"role": "user", "content": content} for content in contents or ("hello",)]
    return {"model": model, "messages": messages, **fields}


@dataclass
class Response:
    """Status, headers in lower case, body without its transfer coding."""

    status: int
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def raw_request(path: str, body: bytes, method: str = "POST", *headers: tuple[str, str]) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append("host: 127.0.0.1")
    if not any(name.lower() == "content-type" for name, _ in headers):
        lines.append("content-type: application/json")
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is closed in the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def read_head(reader: asyncio.StreamReader) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return int(first.split(" ")[1]), pairs


async def read_chunk(reader: asyncio.StreamReader) -> bytes:
    """One chunk of a chunked body; empty at its end."""
    size = int(await reader.readuntil(b"\r\n"), 16)
    data = await reader.readexactly(size)
    await reader.readexactly(2)
    return data


async def read_response(reader: asyncio.StreamReader) -> Response:
    """A whole response."""
    status, pairs = await read_head(reader)
    headers = dict(pairs)
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while chunk := await read_chunk(reader):
            body += chunk
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Response(status, headers, pairs, body)


async def ask(
    port: int, body: Any, path: str = "/v1/chat/completions", method: str = "POST", **headers: str
) -> Response:
    """Sends a request and reads the whole answer. Underscores in header names stand for hyphens."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    async with connected(port) as (reader, writer):
        writer.write(raw_request(path, data, method, *named))
        return await read_response(reader)
