"""A lean HTTP/1.1 client: a request in one write, its answer as the bytes come, connections that are kept.

A general client costs several times as much CPU as all else in a relayed answer. This one follows no redirect and
knows no proxies, cookies, codings or HEAD: whoever needs those takes aiohttp. httptools parses, as in the server.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

import httptools
from aiohappyeyeballs import AddrInfoType, start_connection

IDLE_S = 60.0
LARGEST_HEAD = 256 * 1024
_HIGH_WATER = 128 * 1024
_JOINED = 64 * 1024  # a longer body is not copied behind its head
_LAST_S = 1.0
_NAMES_S = 60.0  # that a name's addresses are kept
_NEXT_ADDRESS_S = 0.25  # RFC 8305
_NO_BODY = (204, 304)


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


class Incoming:
    """An answer while it comes in. raw_headers: names as they came, trailers left out."""

    __slots__ = ("_complete", "_connection", "_fault", "_parts", "_size", "_waiter", "raw_headers", "status")

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self._connection: Connection | None = connection
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


class Connection(asyncio.Protocol):
    """One connection: an answer at a time, and between them it waits in its pool."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: list[Connection], every: set[Connection]) -> None:
        """idle, every: of the pool, for this connection to enter and leave."""
        self.loop = loop
        self.lost: asyncio.Future[None] = loop.create_future()
        self._idle, self._every = idle, every
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Incoming | None = None
        self._limits: Limits | None = None
        self._deadline: float | None = None
        self._limit = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._head_bytes = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self._in_head = self._keep = self._until_close = self._paused = self._interim = False

    def ask(self, head: bytes, body: bytes, limits: Limits) -> Incoming:
        """Sends a request; its answer begins to come in. The connection must be idle or new."""
        answer = self._answer = Incoming(self)
        self._limits, self._head_bytes = limits, 0
        self._deadline = None if limits.total_s is None else self.loop.time() + limits.total_s
        if len(body) <= _JOINED:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self._unsent = -1
        self._expect(limits.first_byte_s)
        return answer

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self._answer is None and not self.transport.is_closing()

    def resume(self) -> None:
        """More of the answer is wanted."""
        if self._paused and self._limits is not None:
            self._paused = False
            self._expect(self._limits.read_s)
            self.transport.resume_reading()

    def abort(self) -> None:
        """Ends the connection at once."""
        self.transport.abort()
        self._finish(ClosedEarly(answered=True))

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._every.add(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or self._limits is None:
            self.transport.abort()  # nobody asked for it
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.transport.abort()
            self._finish(NoHttp())
            return
        if self._answer is not answer:
            return
        self._expect(self._limits.read_s if answer.status else self._limits.first_byte_s)
        if not answer.status and self._head_bytes > LARGEST_HEAD:
            self.transport.abort()
            self._finish(NoHttp())

    def connection_lost(self, exc: Exception | None) -> None:
        self._every.discard(self)
        self.lost.set_result(None)
        if self in self._idle:
            self._idle.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._until_close and exc is None:
            self._finish(None)
        else:
            self._finish(ClosedEarly(answered=bool(self._head_bytes)))

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._answer is None:
            self._keep = False  # more than one answer
            self.transport.close()
        self._fields = []
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else a trailer
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status, self._in_head = self._parser.get_status_code(), False
        self._interim = status < 200
        if self._answer is None or self._interim:
            return
        self._keep = self._parser.should_keep_alive()
        self._answer.begin(status, self._fields)
        framing = [
            value for name, value in self._fields if name.lower() in (b"content-length", b"transfer-encoding")
        ]
        if status in _NO_BODY:
            self._keep = self._keep and not framing
            self._end()
        else:
            self._until_close = not self._keep and not any(_frames(value) for value in framing)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and self._answer.push(body) and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        if not self._interim:
            self._end()

    # Its life

    def _end(self) -> None:
        """The answer is whole."""
        if self._answer is None:
            return
        self._finish(None)
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        if self._keep and not self.transport.is_closing() and not self.transport.get_write_buffer_size():
            self._expect(IDLE_S)
            self._idle.append(self)
        else:
            self.transport.close()

    def _finish(self, fault: Exception | None) -> None:
        answer, self._answer, self._until_close = self._answer, None, False
        self._deadline = None
        if answer is not None:
            answer.end(fault)

    def _expect(self, seconds: float) -> None:
        """Something must happen within so many seconds. A timer that fires before that is left alone."""
        limit = self.loop.time() + seconds
        self._limit = limit if self._deadline is None else min(limit, self._deadline)
        if self._timer is None:
            self._timer = self.loop.call_at(self._limit, self._look)
        elif self._timer.when() > self._limit:
            self._timer.cancel()
            self._timer = self.loop.call_at(self._limit, self._look)

    def _look(self) -> None:
        now, self._timer = self.loop.time(), None
        if now < self._limit:
            self._timer = self.loop.call_at(self._limit, self._look)
        elif self._answer is None:
            self.transport.close()
        elif self._deadline is not None and now >= self._deadline:
            self._time_out()
        elif self._paused:
            self._expect(IDLE_S)  # the reader is slow, not the other side
        elif (unsent := self.transport.get_write_buffer_size()) and unsent != self._unsent:
            self._unsent = unsent  # it still takes the request
            self._expect(self._limits.first_byte_s if self._limits else IDLE_S)
        else:
            self._time_out()

    def _time_out(self) -> None:
        self.transport.abort()
        self._finish(TimeoutError())


def _frames(value: bytes) -> bool:
    """Whether a length or a transfer coding tells where the body ends."""
    return value.isdigit() or value.lower().endswith(b"chunked")


class Pool:
    """The connections to one address."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._idle: list[Connection] = []
        self._every: set[Connection] = set()
        self._addresses: list[AddrInfoType] = []
        self._found = 0.0

    async def send(self, head: bytes, body: bytes, limits: Limits, connect_s: float) -> Incoming:
        """The answer once its head is there. Raises NoConnection, ClosedEarly, NoHttp, TimeoutError.

        A kept connection may have run out on the other side: then nothing was answered, and a new one is tried,
        since the others may be as dead. On a new one a request is sent once: it may have been billed.
        """
        while self._idle:
            kept = self._idle.pop()
            if kept.usable:
                try:
                    return await _answered(kept.ask(head, body, limits))
                except ClosedEarly as fault:
                    if fault.answered:
                        raise
                break
        connection = await self._open(connect_s)
        return await _answered(connection.ask(head, body, limits))

    async def close(self) -> None:
        """Closes what is open, and waits a moment until the other sides know."""
        open_now = list(self._every)
        for connection in open_now:
            connection.transport.close()
        if open_now:
            await asyncio.wait([connection.lost for connection in open_now], timeout=_LAST_S)

    async def _open(self, connect_s: float) -> Connection:
        try:
            async with asyncio.timeout(connect_s):
                return await self._connect()
        except TimeoutError as fault:
            raise NoConnection("timeout", fault) from fault
        except OSError as fault:
            self._addresses = []
            raise NoConnection(_kind(fault), fault) from fault

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        if not self._addresses or loop.time() - self._found > _NAMES_S:
            found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._addresses, self._found = cast(list[AddrInfoType], found), loop.time()
        sock = await start_connection(self._addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, loop=loop)
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(loop, self._idle, self._every),
                sock=sock,
                ssl=self._tls,
                server_hostname=self._host.rstrip(".") if self._tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection


async def _answered(answer: Incoming) -> Incoming:
    try:
        await answer.head()
    except BaseException:  # whoever waited may have left
        answer.close()
        raise
    return answer


def _kind(fault: OSError) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(fault, ssl.SSLError):
        return "tls"
    return "name" if isinstance(fault, socket.gaierror) else "connect"
