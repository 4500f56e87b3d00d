"""Messages between the proxy and a model's process: JSON behind its length in four bytes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, BinaryIO

import orjson

from moosproxy.proxy.upstreams.local.faults import ModelFault

_LENGTH = 4
_LONGEST = 1 << 30


def pack(message: dict[str, Any]) -> bytes:
    """The message as bytes. A lone surrogate, which UTF-8 cannot hold, becomes a question mark.

    Raises ModelFault where that does not help: whole numbers beyond 64 bits, values nested too deeply.
    """
    try:
        body = orjson.dumps(message)
    except orjson.JSONEncodeError:
        body = _packed_after_all(message)
    return len(body).to_bytes(_LENGTH, "big") + body


def _packed_after_all(message: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(_mended(message))
    except (orjson.JSONEncodeError, RecursionError):
        text = "the request holds whole numbers beyond 64 bits, or is nested too deeply"
        raise ModelFault("request", text) from None


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_mended(entry) for entry in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(entry) for name, entry in value.items()}
    return value


async def receive(stream: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message, None at the end."""
    try:
        size = int.from_bytes(await stream.readexactly(_LENGTH), "big")
        if size > _LONGEST:
            return None
        message: dict[str, Any] = orjson.loads(await stream.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        return None
    return message


class Pipe:
    """The child's end: blocking, and safe to send on from several threads."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def receive(self) -> dict[str, Any] | None:
        """The next message, None once the parent has gone."""
        head = self._incoming.read(_LENGTH)
        if len(head) < _LENGTH:
            return None
        message: dict[str, Any] = orjson.loads(self._incoming.read(int.from_bytes(head, "big")))
        return message

    def send(self, message: dict[str, Any]) -> None:
        """At once."""
        with self._lock:
            self._outgoing.write(pack(message))
            self._outgoing.flush()
