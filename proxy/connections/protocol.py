"""uvicorn's HTTP protocol with bounds: on heads, their number of fields, waits, and clients that do not read.

httptools joins a field that comes in pieces anew with each piece, and keeps what it has without any bound: so
bytes are counted as they come in, before they are parsed. Bodies are bounded in `routes.reading`.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Never

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from moosproxy.proxy.connections.answering import Answering
from moosproxy.proxy.connections.lobby import STATE, Lobby
from moosproxy.proxy.errors import (
    BadRequest,
    HeadTooLarge,
    MethodNotAllowed,
    Overloaded,
    ProxyError,
    RequestTimeout,
)

# A connection closed under a client that is still sending is reset, and the answer is lost with it.
_LINGER_S = 5.0
_BREATH_S = 0.01
_PIPELINED = 16
_FULL = "The proxy has as many connections as it may; try again in a moment. MOOS_MAX_CONNECTIONS sets the bound."


class _Stop(Exception):
    """Ends the parsing of a request that is refused."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Its application must put a Lobby into the lifespan's state."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._lobby: Lobby = app_state[STATE]
        self._limits = self._lobby.settings
        self._in_head = True
        self._whole = True
        self._without_body = 0  # bytes that have brought nothing of a body: heads, trailers, sizes of chunks
        self._fields = 0
        self._size = 0
        self._counted = 0  # of the lobby's head_bytes
        self._fault: ProxyError | None = None
        self._over = False
        self._began = False  # whether a head has begun
        self._since = monotonic()  # of the wait for a request or for the rest of its head
        self._until: float | None = None
        self._closing: float | None = None
        self._unread = (0, 0.0)

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = monotonic()
        if not self._lobby.admit(self):
            self._refuse(Overloaded(_FULL))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._count_head(0)
        self._lobby.forget(self)
        super().connection_lost(exc)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None:
            cycle.lost()

    def data_received(self, data: bytes) -> None:
        if self._over:
            self.flow.pause_reading()  # what is thrown away must not keep others from being served
            self.loop.call_later(_BREATH_S, self.flow.resume_reading)
            return
        self._unset_keepalive_if_required()
        if self._in_head and not self._began:
            self._began, self._since = True, monotonic()
        self._without_body += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # no other protocol is spoken here: this answer, and no more
        except httptools.HttpParserError:
            self._refuse(self._fault or BadRequest("This is no valid HTTP request.", code="invalid_http"))
            return
        if self._without_body > self._limits.max_head_bytes:
            self._refuse(self._too_large())
            return
        self._count_head(self._without_body if self._in_head else 0)
        if self._lobby.head_bytes > self._lobby.head_bytes_bound and self._counted:
            self._refuse(Overloaded(_FULL))

    def _count_head(self, size: int) -> None:
        if size != self._counted:
            self._lobby.head_bytes += size - self._counted
            self._counted = size

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._began = True, True
        self._fields = self._size = 0

    def on_url(self, url: bytes) -> None:
        self._size += len(url)
        if self._size > self._limits.max_head_bytes:
            self._stop()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: whoever trusts a head must not find in it what came behind the body
        self._fields += 1
        self._size += len(name) + len(value)
        if self._size > self._limits.max_head_bytes or self._fields > self._limits.max_head_fields:
            self._stop()
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _stop(self) -> Never:
        self._fault = self._too_large()
        raise _Stop

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= _PIPELINED:
            raise _Stop
        if self.parser.get_method() == b"CONNECT":  # its target is no path, and would be refused as malformed
            self._fault = MethodNotAllowed("No tunnel is opened here.")
            raise _Stop
        self._in_head = self._whole = False
        self._lobby.waiting.pop(self, None)
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        cycle.__class__ = Answering  # uvicorn makes them by itself, and is asked for no other kind
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        self._without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = self._whole = True
        self._began, self._without_body = False, 0
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait()

    # What the request calls

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each answer: the lobby sends away who waits too long."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:  # a whole request that waited for this answer
                self._start_asgi_task(*self.pipeline.pop())
                return
        if self._whole:
            self._wait()
        elif self._until is None:
            self._until = monotonic() + _LINGER_S  # the rest of a body that nobody reads

    def _wait(self) -> None:
        """From now on this connection can go if others need its place."""
        if self.transport.is_closing():
            return
        self._until = None
        self._since = monotonic()
        if self in self._lobby.open:
            self._lobby.waiting[self] = None

    # What the lobby calls

    def look(self, now: float) -> None:
        """Ends what has taken too long."""
        if self.transport.is_closing():
            self._closing = self._closing or now
            if now - self._closing > self._limits.write_timeout_s:
                self.transport.abort()
        elif self._until is not None and now > self._until:
            self.transport.close()
        elif self in self._lobby.waiting:
            self._look_at_wait(now)
        elif self.flow.write_paused:
            self._look_at_reader(now)

    def _look_at_wait(self, now: float) -> None:
        fresh = self._began or self.cycle is None
        patience = self._limits.head_timeout_s if fresh else self._limits.idle_timeout_s
        if now - self._since <= patience or self._over:
            return
        if self._began:
            text = f"The request's head was not whole within {patience:g} s, the bound of MOOS_HEAD_TIMEOUT_S."
            self._refuse(RequestTimeout(text))
        self.transport.close()

    def _look_at_reader(self, now: float) -> None:
        """A client that takes nothing at all of its answer for so long has lost interest."""
        size = self.transport.get_write_buffer_size()
        if size != self._unread[0]:
            self._unread = (size, now)
        elif now - self._unread[1] > self._limits.write_timeout_s:
            self.transport.abort()

    def evict(self) -> None:
        """Makes room for another connection."""
        if self._began:
            self._refuse(Overloaded(_FULL))
        self.transport.close()

    # The end

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(
            f"The request's head is larger than {self._limits.max_head_bytes} bytes or has more than "
            f"{self._limits.max_head_fields} fields, the bounds of MOOS_MAX_HEAD_BYTES and MOOS_MAX_HEAD_FIELDS."
        )

    def _refuse(self, error: ProxyError) -> None:
        """Answers where no other answer is under way, and reads on for a moment without keeping anything."""
        if self._over or self.transport.is_closing():
            return
        self._over = True
        self.parser = None  # type: ignore[assignment]  # with what it holds of the head
        self._count_head(0)
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self._whole:
                cycle.flush()
                self.transport.close()
                return
        body = error.envelope()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self._until = monotonic() + _LINGER_S
        self.flow.resume_reading()
