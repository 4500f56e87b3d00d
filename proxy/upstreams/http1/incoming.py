"""An answer while it comes in, and what may go wrong with it."""

from __future__ import annotations

import asyncio
from typing import Protocol

_HIGH_WATER = 128 * 1024


class ClosedEarly(ConnectionError):
    """The other side hung up. answered: whether a byte of an answer had come."""

    def __init__(self, *, answered: bool) -> None:
        super().__init__("the connection was closed")
        self.answered = answered


class NoConnection(Exception):
    """No connection stands. kind: timeout, certificate, tls, name or connect. cause: what the system said."""

    def __init__(self, kind: str, cause: OSError) -> None:
        super().__init__(kind)
        self.kind = kind
        self.cause = cause


class NoHttp(ValueError):
    """What came is no answer of HTTP/1."""


class Limits:
    """Seconds that an exchange may take: silence before the head and after it, and all in all."""

    __slots__ = ("first_byte_s", "read_s", "total_s")

    def __init__(self, first_byte_s: float, read_s: float, total_s: float | None) -> None:
        self.first_byte_s = first_byte_s
        self.read_s = read_s
        self.total_s = total_s


class Source(Protocol):
    """The connection that an answer comes from."""

    loop: asyncio.AbstractEventLoop

    def resume(self) -> None:
        """More of the answer is wanted."""

    def abort(self) -> None:
        """Nothing more of it is."""


class Incoming:
    """An answer while it comes in. raw_headers: names as they came, trailers left out."""

    __slots__ = ("_complete", "_connection", "_fault", "_parts", "_size", "_waiter", "raw_headers", "status")

    def __init__(self, connection: Source) -> None:
        self.status = 0
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self._connection: Source | None = connection
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = False
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def at_eof(self) -> bool:
        """Whether everything has been read."""
        return self._complete and not self._parts

    async def head(self) -> None:
        """Waits until status and headers are there. Raises ClosedEarly, NoHttp, TimeoutError."""
        while not self.status:
            if self._fault is not None:
                raise self._fault
            await self._wait()

    async def readany(self) -> bytes:
        """What has come, empty at the end. Raises ClosedEarly, TimeoutError; OSError where the body is broken."""
        while not self._parts:
            if self._complete:
                return b""
            if self._fault is not None:
                raise self._fault if isinstance(self._fault, OSError) else ConnectionError("a broken body")
            await self._wait()
        parts, self._parts, self._size = self._parts, [], 0
        if self._connection is not None:
            self._connection.resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Hangs up if more would come."""
        if self._connection is not None:
            self._connection.abort()

    async def _wait(self) -> None:
        assert self._connection is not None
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the connection calls

    def begin(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.status, self.raw_headers = status, fields
        self._wake()

    def push(self, part: bytes) -> bool:
        """Whether enough waits to be read."""
        self._parts.append(part)
        self._size += len(part)
        self._wake()
        return self._size > _HIGH_WATER

    def end(self, fault: Exception | None = None) -> None:
        self._complete, self._fault, self._connection = fault is None, fault, None
        self._wake()
