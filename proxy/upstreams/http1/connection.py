"""One connection to an upstream."""

from __future__ import annotations

import asyncio
from typing import cast

import httptools

from moosproxy.proxy.upstreams.http1.incoming import ClosedEarly, Incoming, Limits, NoHttp

IDLE_S = 60.0
LARGEST_HEAD = 256 * 1024
_JOINED = 64 * 1024  # a longer body is not copied behind its head
_NO_BODY = (204, 304)


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
        self._unsent = self.transport.get_write_buffer_size()
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
        elif (unsent := self.transport.get_write_buffer_size()) != self._unsent:
            self._unsent = unsent  # it has taken more of the request
            self._expect(self._limits.first_byte_s if self._limits else IDLE_S)
        else:
            self._time_out()

    def _time_out(self) -> None:
        self.transport.abort()
        self._finish(TimeoutError())


def _frames(value: bytes) -> bool:
    """Whether a length or a transfer coding tells where the body ends."""
    return value.isdigit() or value.lower().endswith(b"chunked")
