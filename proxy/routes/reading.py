"""Reads request bodies, bounded, and notices clients that leave. Knows ASGI and JSON."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from typing import Any, Never

import orjson
from starlette.types import Receive

from moosproxy.proxy.errors import BadRequest, BodyTooLarge, UnknownCoding

CODINGS = ("gzip", "deflate")
_WATCH_AFTER_S = 0.05


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Receive, headers: Mapping[str, str], bound: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, ClientGone."""
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > bound:
        raise _too_large(bound)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > bound:
            raise _too_large(bound)
    return b"".join(parts)


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

    It starts to watch a moment late, since most answers are quick and a task for each of them would be waste.
    """

    __slots__ = ("_handle", "_owner", "_receive", "_task", "gone")

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive
        self._owner = asyncio.current_task()
        self._task: asyncio.Task[None] | None = None
        self._handle = asyncio.get_running_loop().call_later(_WATCH_AFTER_S, self._start)

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._owner is not None:
            self._owner.cancel()

    def stop(self) -> None:
        """Ends the watch; from now on a disconnect cancels nothing."""
        self._handle.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None
