"""One address of the tier: what it said of itself, and a request to it. Knows no other address."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from moosproxy.proxy.bodies import any_json
from moosproxy.proxy.tier.wire import (
    BINARY,
    COMPRESS_PATH,
    HELLO_PATH,
    PROTOCOL,
    PROTOCOL_HEADER,
    QUEUED_HEADER,
    print_of,
)

PROBE_PATIENCE_S = 2.0
_UNANSWERED = 2
"""One may be a client that has left."""
_MOST_QUEUED = 2**40
_MOST_HELLO = 64 * 1024
_LEAST_ROOM = 1024 * 1024
_ROOM_PER_BYTE = 64
"""Bytes of an answer for each of its request: offsets and the scores of all words take fewer."""
_COUNT = re.compile(r"[0-9]{1,15}")
_TOOK = re.compile(r"compress;dur=(\d{1,9}\.\d{3})")


class Fault(Exception):
    """Why an address cannot be used. kind: as the metric names it. reason: for people, with the fix."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Hello:
    """What a replica says of itself. calibration: its digest, None where a quality cannot be asked for."""

    fingerprint: str
    calibration: str | None

    @property
    def print(self) -> str:
        """What decides its results."""
        return print_of(self.fingerprint, self.calibration)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of a tier that speaks our version. took: seconds of compression; queued: tokens that it holds for
    everybody; None where it does not say."""

    status: int
    body: bytes
    took: float | None = None
    queued: int | None = None

    @property
    def told(self) -> dict[str, Any]:
        """Of a handshake, or of an answer that is no result: `error` names it then. Raises Fault."""
        try:
            told = any_json.loads(self.body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise Fault("garbage", "an answer that is no JSON object")
        return told

    @property
    def fault(self) -> Fault:
        """What a status that is no result says of the address."""
        match self.status:
            case 401:
                return Fault("key", "it refuses the key: set the same MOOS_COMPRESSOR_KEY on both sides")
            case 503:
                return Fault("draining", "it is about to end")
            case 400:
                return Fault("protocol", "it does not understand this proxy: run one release")
        return Fault("garbage", f"it answers with status {self.status}")


@dataclass(eq=False, slots=True)
class Address:
    """url: without a path. host: the name to ask for, where the URL names an address of it."""

    url: str
    host: str
    key: str | None = None
    hello: Hello | None = None
    """The last one, None before the first."""
    fault: Fault | None = None
    """Of the last time that it was asked, None where that went well."""
    load: int = 0
    """Estimated tokens that this process waits for."""
    others: int = 0
    """Those that others waited for when it last told."""
    stalls: int = 0
    """Probes in a row that it did not answer."""
    barred_until: float = 0.0
    """Of time.monotonic(): until then a good probe says nothing about it."""
    unanswered: int = 0
    """Texts in a row that were taken back before it answered."""
    last_resort_until: float = 0.0
    """Of time.monotonic(): until then others are asked first."""
    waiting: set[asyncio.Task[Said]] = field(default_factory=set)

    @property
    def up(self) -> bool:
        """Whether to ask it."""
        return self.fault is None and self.hello is not None

    @property
    def queued(self) -> int:
        """Tokens that wait there for everybody, as far as is known here."""
        return self.load + self.others

    @property
    def last_resort(self) -> bool:
        """Whether others come first, since it greets and then leaves texts unanswered."""
        return time.monotonic() < self.last_resort_until

    def left_unanswered(self, rest_s: float) -> None:
        """One more text; twice in a row it rests for so long."""
        self.unanswered += 1
        if self.unanswered >= _UNANSWERED:
            self.last_resort_until = time.monotonic() + rest_s

    async def greet(self, session: aiohttp.ClientSession) -> None:
        """The handshake. Raises Fault."""
        try:
            async with asyncio.timeout(PROBE_PATIENCE_S):
                said = await self._send(session, "GET", HELLO_PATH, None, _MOST_HELLO)
        except TimeoutError:
            raise Fault("stalled", f"no answer within {PROBE_PATIENCE_S:g} s") from None
        if said.status != 200:
            raise said.fault
        self.hear(said.told)

    def hear(self, told: dict[str, Any]) -> None:
        """What a replica says of itself. Raises Fault."""
        fingerprint, calibration = told.get("fingerprint"), told.get("calibration")
        if not isinstance(fingerprint, str) or not fingerprint or not isinstance(calibration, str | None):
            raise Fault("garbage", "it names no fingerprint")
        self.hello = Hello(fingerprint, calibration)
        queued = told.get("queued_tokens")
        if isinstance(queued, int):
            self.hear_queued(queued)

    def hear_queued(self, tokens: int) -> None:
        """What it holds for everybody. A replica that exaggerates is asked less, and that is all."""
        self.others = max(0, min(tokens, _MOST_QUEUED) - self.load)

    async def compress(self, session: aiohttp.ClientSession, request: bytes) -> Said:
        """One text. Raises Fault; cancelling it closes the connection, which ends the work at the tier."""
        return await self._send(
            session, "POST", COMPRESS_PATH, request, _LEAST_ROOM + _ROOM_PER_BYTE * len(request)
        )

    async def _send(
        self, session: aiohttp.ClientSession, method: str, path: str, sent: bytes | None, most: int
    ) -> Said:
        headers = {"host": self.host, "content-type": BINARY}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            async with session.request(
                method, self.url + path, data=sent, headers=headers, allow_redirects=False
            ) as answer:
                version = answer.headers.get(PROTOCOL_HEADER)
                if version is None:
                    raise _between(answer.status)
                if version != str(PROTOCOL):
                    reason = f"it speaks version {version[:20]!r} of the protocol, this proxy {PROTOCOL}"
                    raise Fault("protocol", f"{reason}: run one release")
                took = _TOOK.fullmatch(answer.headers.get("server-timing", ""))
                body = await _bounded(answer, most)
                queued = answer.headers.get(QUEUED_HEADER, "")
                seconds = float(took[1]) / 1000 if took else None
                return Said(answer.status, body, seconds, int(queued) if _COUNT.fullmatch(queued) else None)
        except TimeoutError:
            raise Fault("stalled", "it takes no connection") from None
        except (aiohttp.ClientError, OSError, ValueError) as fault:
            raise Fault("down", f"not reached ({type(fault).__name__})") from None


def _between(status: int) -> Fault:
    """Of an answer without the tier's header: a load balancer's, or something else listens there."""
    if status >= 500:
        return Fault("down", f"what stands before it answers with status {status}")
    return Fault("garbage", f"what answers there is no compressor tier (status {status})")


async def _bounded(answer: aiohttp.ClientResponse, most: int) -> bytes:
    if (answer.content_length or 0) > most:
        raise Fault("garbage", "an answer larger than any")
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > most:
            raise Fault("garbage", "an answer larger than any")
    return bytes(body)
