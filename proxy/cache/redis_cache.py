"""The shared layer in Redis, for workers on one machine or many.

What does not answer in time goes on in the background for a second, so that slow connects (TLS) still come to
stand and a late write still lands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.redis.clients import is_cluster
from moosproxy.proxy.cache.shared import BACKGROUND_S, SharedCache, done_within
from moosproxy.proxy.cache.wire import Command, Wire

_NOTHING = b"moos:nothing"
"""A name under which nothing lies: a cluster answers for a key alone, not as a whole."""


class RedisCache(SharedCache):
    """Bytes by name in Redis. Nothing here raises, save the constructor on a malformed URL."""

    layer = "redis"

    def __init__(
        self, url: str, *, timeout_ms: float = 10.0, connections: int = 4, breaker: Breaker | None = None
    ) -> None:
        """timeout_ms: the longest that any call waits. connections: the bound of the pool."""
        super().__init__(timeout_ms, breaker)
        self._wire = Wire(url, connections)
        self._apart = is_cluster(url)
        self._ping: Command = ("GET", _NOTHING) if self._apart else ("PING",)

    @property
    def degraded(self) -> str | None:
        """Why Redis is out of use just now, None while it works."""
        return None if self._breaker.closed else "redis does not answer in time"

    async def connect(self) -> bool:
        """Ping, before the first request or for a readiness check."""
        try:
            async with asyncio.timeout(BACKGROUND_S):
                return not isinstance((await self._wire.send(self._ping))[0], Exception)
        except Exception:
            return False

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """One round trip; in a cluster one to each server, side by side."""
        if self._apart:
            values: Any = await self._in_time(*(("GET", name) for name in names))
        else:
            replies = await self._in_time(("MGET", *names))
            values = replies[0] if replies else None
        if not isinstance(values, list) or len(values) != len(names):
            return [None] * len(names)
        return [value if isinstance(value, bytes) else None for value in values]

    async def put_first(self, name: bytes, value: bytes, ttl_s: int) -> bytes | None:
        """One round trip."""
        # Two commands, because SET with both NX and GET needs Redis 7.
        replies = await self._in_time(("SET", name, value, "EX", ttl_s, "NX"), ("GET", name))
        standing = replies[1] if replies else None
        if isinstance(standing, ResponseError) and str(standing).startswith("WRONGTYPE"):
            return b""  # a foreign list or hash under our name: garbage like any other
        return standing if isinstance(standing, bytes) else None

    async def replace(self, name: bytes, value: bytes, ttl_s: int) -> None:
        """One round trip."""
        await self._in_time(("SET", name, value, "EX", ttl_s))

    async def aclose(self) -> None:
        """Let writes under way land, then close every connection."""
        await super().aclose()
        await self._wire.aclose()

    async def _in_time(self, *commands: Command) -> list[Any] | None:
        if not self._in_use():
            return None
        replies = self._wire.send(*commands)
        if not await done_within(replies, self._timeout_s):
            self._fail("slow")
            return None
        if replies.cancelled() or replies.exception():
            self._fail("down")
            return None
        self._breaker.succeed()
        for refused in (reply for reply in replies.result() if isinstance(reply, ResponseError)):
            self.report("full" if isinstance(refused, OutOfMemoryError | ReadOnlyError) else "refused")
        return replies.result()

    async def _works(self) -> bool:
        """Two pings: the first may have to connect, the second must be as fast as a request needs it."""
        if await self.connect() and await done_within(self._wire.send(self._ping), self._timeout_s):
            return True
        self._fail("down")
        return False
