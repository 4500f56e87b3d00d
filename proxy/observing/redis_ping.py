"""Whether the shared cache's Redis answers, asked anew, and in words that tell a refused one from a slow one."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

_PATIENCE_S = 1.0
_FRESH_S = 2.0


class RedisPing:
    """Asks at most once in some seconds, since everybody may ask for readiness."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._asked_at = -_FRESH_S
        self._reason: str | None = None
        self._asking = asyncio.Lock()

    async def reason(self) -> str | None:
        """Why it cannot be used, with the fix and without the URL; None if it answers."""
        async with self._asking:
            if monotonic() - self._asked_at >= _FRESH_S:
                self._reason = await ping(self._url)
                self._asked_at = monotonic()
            return self._reason


async def ping(url: str) -> str | None:
    """One round trip over a new connection. What it gives back is as in RedisPing."""
    from moosproxy.proxy.cache.redis.clients import close_client, open_client

    client: Any = open_client(url, _PATIENCE_S, connections=1)
    try:
        async with asyncio.timeout(2 * _PATIENCE_S):
            await client.ping()
    except Exception as fault:
        return _reason(fault)
    finally:
        await close_client(client)
    return None


def _reason(fault: Exception) -> str:
    from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

    text = str(fault)
    if isinstance(fault, AuthenticationError | NoPermissionError) or "NOAUTH" in text or "WRONGPASS" in text:
        return "redis wants another password: put it into MOOS_REDIS_URL, as in redis://:PASSWORD@HOST:6379/0"
    if isinstance(fault, ResponseError):
        return f"redis refuses to answer ({type(fault).__name__}): see its log"
    if isinstance(fault.__cause__ or fault.__context__ or fault, ConnectionRefusedError):
        return "nothing listens at the address of MOOS_REDIS_URL: start redis there, or correct host and port"
    if isinstance(fault, TimeoutError) or "imeout" in text:
        return f"redis does not answer within {_PATIENCE_S:g} s: it is overloaded, or a firewall swallows packets"
    kind = "is not reached" if isinstance(fault, RedisError | OSError) else "cannot be asked"
    return f"redis {kind} ({type(fault).__name__}): check MOOS_REDIS_URL, rediss:// for TLS"
