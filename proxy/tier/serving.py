"""The tier's side: an ASGI application that compresses for proxies, with the queues of a proxy of its own.

Texts are compressed and forgotten; nothing of them is logged or stored.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson

from moosproxy.compressor import CheckpointError, CompressionSettings, SettingsError
from moosproxy.proxy.scheduling.lane import LaneClosed
from moosproxy.proxy.scheduling.scheduler import CompressionService, DeadlineMissed, Overloaded
from moosproxy.proxy.tier.figures import Figures
from moosproxy.proxy.tier.wire import (
    BINARY,
    COMPRESS_PATH,
    HELLO_PATH,
    PROTOCOL,
    PROTOCOL_HEADER,
    QUEUED_HEADER,
    Ask,
    print_of,
    read_ask,
    result_bytes,
)

T = TypeVar("T")
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

TIMING, JSON = b"server-timing", b"application/json"
_LONG_BYTES = 131_072
"""From here on a body is read, and an answer written, in a thread."""


class _Gone(Exception):
    """The proxy has hung up."""


class _Said(Exception):
    """An answer that is no result."""

    def __init__(self, status: int, error: str, **more: str | None) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **more}


class Tier:
    """Serves one compressor. Belongs to the event loop that it first serves on."""

    def __init__(
        self,
        service: CompressionService,
        calibration: str | None,
        *,
        key: str | None = None,
        max_body_bytes: int,
        max_bytes_in_flight: int,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        """calibration: its digest, None where there is none. key: what proxies have to bring, None for nothing.

        max_body_bytes: of one request. max_bytes_in_flight: of all at once.
        """
        self._service = service
        self._calibration = calibration
        self._key = key
        self._max_body_bytes = max_body_bytes
        self._max_bytes_in_flight = max_bytes_in_flight
        self._bytes = 0
        self._draining = draining
        self.figures = Figures(lambda: service.queued_tokens)

    @property
    def queued_tokens(self) -> int:
        """Estimated tokens under way: what a number of replicas is to follow."""
        return self._service.queued_tokens

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """HTTP requests alone."""
        way = scope["method"], scope["path"]
        try:
            match way:
                case ("POST", path) if path == COMPRESS_PATH:
                    await self._compress(scope, receive, send)
                case ("GET", path) if path == HELLO_PATH:
                    self._admit(scope)
                    await _answer(send, 200, orjson.dumps(self._hello()))
                case ("GET", "/metrics"):
                    self._admit(scope)
                    await _answer(
                        send, 200, self.figures.exposition(), b"text/plain; version=0.0.4; charset=utf-8"
                    )
                case ("GET", "/healthz"):
                    await _answer(send, 200, b'{"status":"ok"}')
                case ("GET", "/readyz"):
                    await _answer(send, 503 if self._draining() else 200, orjson.dumps(self._state()))
                case _:
                    raise _Said(404, "not_found")
        except _Said as said:
            queued = (
                (self._queued(),) if said.status == 429 else ()
            )  # others would go on asking it until it is probed
            await _answer(send, said.status, orjson.dumps(said.body), JSON, *queued)
        except _Gone:
            self.figures.note("gone")

    def _state(self) -> dict[str, str]:
        return {"status": "unready" if self._draining() else "ready"}

    def _hello(self) -> dict[str, Any]:
        if self._draining():
            raise _Said(503, "draining")
        return {
            "protocol": PROTOCOL,
            "fingerprint": self._service.fingerprint,
            "calibration": self._calibration,
            "queued_tokens": self.queued_tokens,
        }

    def _admit(self, scope: Any) -> None:
        if self._key is None:
            return
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not secrets.compare_digest(given, b"Bearer " + self._key.encode()):
            raise _Said(401, "key")

    async def _compress(self, scope: Any, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        body = bytearray()
        try:
            self._admit(scope)
            if self._draining():
                raise _Said(503, "draining")
            await self._fill(body, receive)
            answer, took = await _unless_gone(receive, self._result(bytes(body)))
        except _Said as said:
            self.figures.note(str(said))
            raise
        finally:
            self._bytes -= len(body)
        self.figures.done(time.perf_counter() - began)
        timing = TIMING, f"compress;dur={took * 1000:.3f}".encode()
        await _answer(send, 200, answer, BINARY.encode(), timing, self._queued())

    def _queued(self) -> tuple[bytes, bytes]:
        return QUEUED_HEADER.encode(), b"%d" % self.queued_tokens

    async def _fill(self, body: bytearray, receive: Receive) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part = message.get("body", b"")
            if len(body) + len(part) > self._max_body_bytes:
                raise _Said(413, "too_large")
            if self._bytes + len(part) > self._max_bytes_in_flight:
                raise _Said(429, "overloaded")
            body += part
            self._bytes += len(part)
            more = message.get("more_body", False)

    async def _result(self, body: bytes) -> tuple[bytes, float]:
        """An answer's body, and the seconds that compression took."""
        long = len(body) >= _LONG_BYTES
        try:
            ask = await asyncio.to_thread(read_ask, body) if long else read_ask(body)
        except SettingsError:
            raise _Said(400, "settings") from None
        except ValueError:
            raise _Said(400, "request") from None
        mine = print_of(self._service.fingerprint, self._calibration)
        if ask.of != mine:
            raise _Said(409, "fingerprint", fingerprint=self._service.fingerprint, calibration=self._calibration)
        return await self._work(ask, body, long)

    async def _work(self, ask: Ask, body: bytes, long: bool) -> tuple[bytes, float]:
        began = time.perf_counter()
        try:
            result = await self._service.compress(ask.text, ask.settings, ask.team, ask.deadline, words=ask.words)
            took = time.perf_counter() - began
            made = await asyncio.to_thread(result_bytes, body, result) if long else result_bytes(body, result)
            return made, took
        except Overloaded:
            raise _Said(429, "overloaded") from None
        except DeadlineMissed:
            raise _Said(504, "deadline") from None
        except LaneClosed:
            raise _Said(503, "draining") from None
        except Exception as fault:
            # The message of a foreign error may quote the text: only its type is told.
            raise _Said(500, type(fault).__name__) from None


def calibration_of(compressor: Any) -> str | None:
    """The digest that a compressor's identities end with, None where it has no calibration."""
    try:
        whole = compressor.identity(CompressionSettings(quality=0.5))
    except CheckpointError:
        return None
    return str(whole).removeprefix(f"{compressor.fingerprint}-")


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Does the work unless the proxy hangs up meanwhile: nobody would read the answer."""
    doing = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise _Gone
        return doing.result()
    finally:
        for task in (doing, watching):
            task.cancel()


async def _answer(send: Send, status: int, body: bytes, kind: bytes = JSON, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (PROTOCOL_HEADER.encode(), b"%d" % PROTOCOL),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
