"""Puts the two layers together. What a shared layer is made of is imported only where one is asked for."""

from __future__ import annotations

from pathlib import Path

from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.cache.store import Store

MEBIBYTE = 1024 * 1024


def open_store(
    *,
    local_bytes: int = 64 * MEBIBYTE,
    redis_url: str | None = None,
    folder: Path | None = None,
    file_bytes: int = 256 * MEBIBYTE,
    timeout_ms: float = 10.0,
    ttl_s: int = 7 * 24 * 3600,
) -> Store:
    """A store; nothing is connected yet. Without a URL the file in `folder` is shared, without either nothing is.

    Raises ValueError on a malformed URL.
    """
    shared: SharedCache | None = None
    if redis_url:
        from moosproxy.proxy.cache.redis_cache import RedisCache

        shared = RedisCache(redis_url, timeout_ms=timeout_ms)
    elif folder:
        from moosproxy.proxy.cache.file_cache import FileCache

        shared = FileCache(folder, max_bytes=file_bytes, timeout_ms=timeout_ms)
    return Store(LocalCache(local_bytes), shared, ttl_s=ttl_s)
