"""uvicorn's side of one answer, in fewer steps: heads cost less, and head and body go out in one write.

Each write is a call into the kernel, and a header's name has been looked at before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

_WITHOUT_BODY = (204, 304)


class Answering(RequestResponseCycle):
    """A request of uvicorn's with its answer; takes the same messages, and raises RuntimeError as it does.

    A head waits for the first bytes of its body until the event loop comes round: a stream's is not held back.
    """

    _head = b""
    _left: Callable[[], object] | None = None

    def watch(self, left: Callable[[], object] | None) -> None:
        """Calls `left` once if the client goes before its answer is whole; None ends the watch."""
        self._left = left
        if left is not None:
            self.flow.resume_reading()  # else nobody would see it go
            if self.disconnected:
                asyncio.get_running_loop().call_soon(self.lost)

    def lost(self) -> None:
        """The client has gone."""
        left, self._left = self._left, None
        if left is not None and not self.response_complete:
            left()

    async def run_asgi(self, app: ASGI3Application) -> None:
        async def flushed(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            finally:
                self.flush()  # before the connection is closed because the answer is not whole

        await super().run_asgi(flushed)

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected or self.response_complete:
            raise RuntimeError(f"ASGI message {message['type']!r} came where {expected!r} has its place")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, headers: Any) -> None:
        self.response_started, self.waiting_for_100_continue = True, False
        headers = [*self.default_headers, *headers]
        lines = [STATUS_LINE[status]]
        closes = False
        for name, value in headers:
            field = _field(name)
            lines += (field, value, b"\r\n")
            if field in _FRAMING:
                closes |= self._frame(field, value)
        if HEADER_VALUE_RE.search(b"".join([value for _, value in headers])):
            raise RuntimeError("Invalid HTTP header value.")
        self.keep_alive = self.keep_alive and not closes
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        asyncio.get_running_loop().call_soon(self.flush)

    def _frame(self, field: bytes, value: bytes) -> bool:
        """What a header says about where the body ends. Whether it says that the connection does, too."""
        if field == b"content-length: " and self.chunked_encoding is None:
            self.expected_content_length, self.chunked_encoding = int(value), False
        elif field == b"transfer-encoding: " and value.lower() == b"chunked":
            self.expected_content_length, self.chunked_encoding = 0, True
        return field == b"connection: " and b"close" in [token.strip() for token in value.lower().split(b",")]

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            self.flush()
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self._write(chunk if more else chunk + b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("Response content longer than Content-Length")
            self._write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        if self.expected_content_length:
            raise RuntimeError("Response content shorter than Content-Length")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head or data:
            self.transport.write(head + data if head else data)

    def flush(self) -> None:
        """Puts out what is held."""
        if self._head:
            self._write(b"")


def answering(receive: Any) -> Answering | None:
    """The request that ASGI's receive belongs to, None under another server."""
    cycle = getattr(receive, "__self__", None)
    return cycle if isinstance(cycle, Answering) else None


@lru_cache(maxsize=1024)
def _field(name: bytes) -> bytes:
    """A header's name as it is written. Raises RuntimeError on one that is none."""
    if HEADER_RE.search(name):
        raise RuntimeError("Invalid HTTP header name.")
    return name.lower() + b": "


_FRAMING = frozenset({b"content-length: ", b"transfer-encoding: ", b"connection: "})
