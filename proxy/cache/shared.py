"""The shared layer: sealed records in Redis. Whatever Redis does, the caller sees an answer or a miss, in time.

What does not answer in time goes on in the background for a second, so that slow connects (TLS) still come to
stand and a late write still lands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.wire import BACKGROUND_S, Command, Wire

log = logging.getLogger(__name__)

WARN_EVERY_S = 30.0


class SharedCache:
    """Bytes by name in Redis. Nothing here raises, save the constructor on a malformed URL."""

    def __init__(
        self, url: str, *, timeout_ms: float = 10.0, connections: int = 4, breaker: Breaker | None = None
    ) -> None:
        """timeout_ms: the longest that any call waits. connections: the bound of the pool."""
        self._wire = Wire(url, connections)
        self._timeout_s = timeout_ms / 1000
        self._breaker = breaker or Breaker()
        self._probe: asyncio.Task[None] | None = None
        self._warned_at = -WARN_EVERY_S
        self._unwarned = 0
        self.faults: Counter[str] = Counter()
        """Faults since the start, by kind: slow, down, full, refused, garbage."""

    @property
    def degraded(self) -> str | None:
        """Why the shared layer is out of use just now, None while it works."""
        return None if self._breaker.closed else "redis does not answer in time"

    async def connect(self) -> bool:
        """Ping with a second's patience, before the first request or for a readiness check. Never raises."""
        try:
            async with asyncio.timeout(BACKGROUND_S):
                return not isinstance((await self._wire.send(("PING",)))[0], Exception)
        except Exception:
            return False

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """One round trip; None for what is not there."""
        replies = await self._in_time(("MGET", *names))
        values = replies[0] if replies else None
        if not isinstance(values, list) or len(values) != len(names):
            return [None] * len(names)
        return [value if isinstance(value, bytes) else None for value in values]

    async def put_first(self, name: bytes, value: bytes, ttl_s: int) -> bytes | None:
        """Write unless something is there already; returns what is there now, None if that is not known."""
        # Two commands, because SET with both NX and GET needs Redis 7.
        replies = await self._in_time(("SET", name, value, "EX", ttl_s, "NX"), ("GET", name))
        standing = replies[1] if replies else None
        if isinstance(standing, ResponseError) and str(standing).startswith("WRONGTYPE"):
            return b""  # a foreign list or hash under our name: garbage like any other
        return standing if isinstance(standing, bytes) else None

    async def replace(self, name: bytes, value: bytes, ttl_s: int) -> None:
        """Write over whatever is there."""
        await self._in_time(("SET", name, value, "EX", ttl_s))

    async def aclose(self) -> None:
        """Let writes under way land (they are bounded), then close every connection."""
        if self._probe:
            self._probe.cancel()
            await asyncio.wait({self._probe})
        await self._wire.aclose()

    def report(self, kind: str) -> None:
        """Count a fault, and warn now and then."""
        self.faults[kind] += 1
        self._unwarned += 1
        if time.monotonic() - self._warned_at >= WARN_EVERY_S:
            log.warning("shared cache: %s (%d faults since the last warning)", kind, self._unwarned)
            self._warned_at = time.monotonic()
            self._unwarned = 0

    async def _in_time(self, *commands: Command) -> list[Any] | None:
        if not self._breaker.closed:
            self._probe_if_due()
            return None
        replies = self._wire.send(*commands)
        replies.add_done_callback(_look_at)
        if not await _done_within(replies, self._timeout_s):
            self._fail("slow")
            return None
        if replies.cancelled() or replies.exception():
            self._fail("down")
            return None
        self._breaker.succeed()
        for refused in (reply for reply in replies.result() if isinstance(reply, ResponseError)):
            self.report("full" if isinstance(refused, OutOfMemoryError | ReadOnlyError) else "refused")
        return replies.result()

    def _fail(self, kind: str) -> None:
        self.report(kind)
        self._breaker.fail()

    def _probe_if_due(self) -> None:
        if self._breaker.probe_due and self._probe is None:
            self._probe = asyncio.create_task(self._ask_again())

    async def _ask_again(self) -> None:
        """Two pings: the first may have to connect, the second must be as fast as a request needs it."""
        try:
            if await self.connect() and await _done_within(self._wire.send(("PING",)), self._timeout_s):
                self._breaker.succeed()
            else:
                self._fail("down")
        finally:
            self._probe = None


async def _done_within(future: asyncio.Future[Any], seconds: float) -> bool:
    """Wait without cancelling. A loop that was late itself gets a few turns to hand over what has arrived."""
    await asyncio.wait({future}, timeout=seconds)
    for _ in range(8):
        if future.done():
            return True
        await asyncio.sleep(0)
    return future.done()


def _look_at(future: asyncio.Future[Any]) -> None:
    """So that asyncio does not complain about an exception that nobody waited for."""
    if not future.cancelled():
        future.exception()
