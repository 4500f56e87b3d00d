"""Puts the two layers together. The Redis client is imported only where a URL asks for it."""

from __future__ import annotations

from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store


def open_store(
    *,
    local_bytes: int = 64 * 1024 * 1024,
    redis_url: str | None = None,
    redis_timeout_ms: float = 10.0,
    ttl_s: int = 7 * 24 * 3600,
) -> Store:
    """A store; nothing is connected yet. Raises ValueError on a malformed URL."""
    shared = None
    if redis_url:
        from moosproxy.proxy.cache.shared import SharedCache

        shared = SharedCache(redis_url, timeout_ms=redis_timeout_ms)
    return Store(LocalCache(local_bytes), shared, ttl_s=ttl_s)
