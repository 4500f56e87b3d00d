"""Reads request bodies, bounded, and notices clients that leave. Knows ASGI and JSON."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from collections.abc import Mapping
from typing import Any, Never

import orjson
from starlette.types import Message, Receive

from moosproxy.proxy.connections.answering import answering
from moosproxy.proxy.connections.held import Share
from moosproxy.proxy.errors import BadRequest, BodyTooLarge, RequestTimeout, UnknownCoding
from moosproxy.proxy.settings import Settings

CODINGS = ("gzip", "deflate")
_WATCH_AFTER_S = 0.05
_LENGTH_DIGITS = 18
"""More digits than any length has; int() refuses some thousands of them."""
_DEFLATE_MOST = 1032
"""Bytes that one packed byte can become at most."""


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Settings, share: Share) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, RequestTimeout, Overloaded, ClientGone.

    share: gets the body's bytes as they come.
    """
    bound = limits.max_body_bytes
    announced = headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > _LENGTH_DIGITS or int(announced) > bound):
        raise _too_large(bound)
    cycle = answering(receive)
    if cycle is not None and not cycle.more_body:  # nobody will wait for it
        return _taken(await receive(), limits.max_body_bytes, share)
    try:
        return await _read_parts(receive, limits, share)
    except TimeoutError:
        raise RequestTimeout(
            f"The request body came slower than {limits.body_bytes_per_s} bytes a second over "
            f"{limits.body_timeout_s:g} s, the bounds of MOOS_BODY_BYTES_PER_S and MOOS_BODY_TIMEOUT_S."
        ) from None


async def _read_parts(receive: Receive, limits: Settings, share: Share) -> bytes:
    """The parts as one. Raises TimeoutError where they come too slowly.

    One growing buffer, since a list of the parts would be as large once more when they are joined.
    """
    period = limits.body_timeout_s
    least = period * limits.body_bytes_per_s
    loop = asyncio.get_running_loop()
    whole = io.BytesIO()
    lately = 0
    async with asyncio.timeout(period) as patience:
        while True:
            message = await receive()
            part = _taken(message, limits.max_body_bytes, share)
            if not message.get("more_body") and share.size == len(part):
                return part
            whole.write(part)
            if not message.get("more_body"):
                return whole.getvalue()
            lately += len(part)
            if lately >= least:
                lately = 0
                patience.reschedule(loop.time() + period)


def _taken(message: Message, bound: int, share: Share) -> bytes:
    """The message's part of the body. Raises ClientGone, BodyTooLarge, Overloaded."""
    if message["type"] == "http.disconnect":
        raise ClientGone
    part: bytes = message.get("body", b"")
    if share.size + len(part) > bound:
        raise _too_large(bound)
    share.take(len(part))
    return part


async def unpacked(body: bytes, coding: str, bound: int, share: Share) -> bytes:
    """A body without its content coding, in a thread; share holds as much as it may become, then what it is.

    Raises what `decoded` raises, and Overloaded.
    """
    most = min(bound, len(body) * _DEFLATE_MOST)
    share.take(most)
    plain = await asyncio.to_thread(decoded, body, coding, bound)
    share.give(len(body) + most - len(plain))
    return plain


def decoded(body: bytes, coding: str, bound: int) -> bytes:
    """A body without its content coding. Raises BodyTooLarge where it would unpack to that, BadRequest."""
    if coding not in CODINGS:
        raise UnknownCoding(
            f"Content-Encoding {coding[:40]!r} is not taken here; send {', '.join(CODINGS)} or none."
        )
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either head
    try:
        plain = unpacking.decompress(body, bound + 1)
    except zlib.error:
        plain = b""
    if len(plain) > bound:
        raise _too_large(bound)
    if not unpacking.eof or unpacking.unused_data:
        raise BadRequest(f"The request body is not whole in its Content-Encoding, {coding}.", code="invalid_body")
    return plain


def _too_large(bound: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body is larger than {bound} bytes, the bound that MOOS_MAX_BODY_BYTES sets.")


async def parse_json(body: bytes) -> Any:
    """The body as JSON. Raises BadRequest with the place of the fault.

    orjson refuses some valid JSON (lone surrogates, numbers beyond a double): the slower parser takes that.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        reason = str(fault)
    try:
        return await asyncio.to_thread(_parse_slowly, body)
    except (ValueError, RecursionError):
        raise BadRequest(f"The request body is not valid JSON: {reason}", code="invalid_json") from None


def _parse_slowly(body: bytes) -> Any:
    return json.loads(body.decode(), parse_constant=_refuse)


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")


class DisconnectWatch:
    """Cancels the task that made it once the client has gone.

    Our own server tells. Under another one it starts to watch a moment late, since most answers are quick and a
    task for each of them would be waste.
    """

    __slots__ = ("_cycle", "_handle", "_owner", "_receive", "_task", "gone")

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._owner = asyncio.current_task()
        self._task: asyncio.Task[None] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._cycle = answering(receive)
        if self._cycle is not None:
            self._cycle.watch(self._left)
        else:
            self._handle = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._start)

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left()

    def _left(self) -> None:
        self.gone = True
        if self._owner is not None:
            self._owner.cancel()

    def stop(self) -> None:
        """Ends the watch; from now on a disconnect cancels nothing."""
        if self._cycle is not None:
            self._cycle.watch(None)
        if self._handle is not None:
            self._handle.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None
