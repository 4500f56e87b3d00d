"""Brings the compressor, its queue and the cache up and down again, and says what is wrong with them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.observing.redis_ping import RedisPing
from moosproxy.proxy.opening.model import load_compressor, open_service
from moosproxy.proxy.opening.tier import OpenTier, open_tier
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.rewriting.uncompressed import Uncompressed
from moosproxy.proxy.scheduling.scheduler import CompressorLike, ServiceLike
from moosproxy.proxy.services import RewriterLike
from moosproxy.proxy.settings import Settings


@dataclass(slots=True)
class Compression:
    """The rewriter, and the state of what stands behind it."""

    rewriter: RewriterLike
    store: Store | None
    checkpoint: Check
    service: ServiceLike | None = None
    redis: RedisPing | None = None
    tier: OpenTier | None = None

    async def checkpoint_check(self) -> Check:
        """Whether there is a compressor, here or in a tier."""
        return self.checkpoint if self.tier is None else self.tier.check()

    async def shared_cache_check(self) -> Check:
        """Whether the shared cache answers."""
        if self.store is None or self.store.shared is None:
            return Check("off", "this process caches for itself; `moos serve --workers` and MOOS_REDIS_URL share")
        reason = await self.redis.reason() if self.redis is not None else None
        if reason is None and self.store.shared.degraded is not None:
            reason = self.store.shared.degraded
        if reason is None:
            return Check("ok", self.store.shared.layer)
        return Check("degraded", f"{reason}; each worker caches for itself until it is back")


async def open_compression(
    settings: Settings, compressor: CompressorLike | None, stack: AsyncExitStack
) -> Compression:
    """Everything between a request's text and its shorter form. The stack closes it.

    A checkpoint that cannot be loaded is no error: everything then goes out as it came, and readiness says why.
    """
    if settings.compressor == "off" and compressor is None:
        off = Check("off", "MOOS_COMPRESSOR=off: nothing is compressed")
        return Compression(Uncompressed(), None, off)
    store = await _open_store(settings, stack)
    check = Check("ok")
    tier = None
    service: ServiceLike | None = None
    if settings.compressor_urls and compressor is None:
        tier = await open_tier(settings, store.shared, stack)
        service = tier.service
    else:
        if compressor is None:
            compressor, check = await load_compressor(settings, stack)
        if compressor is not None:
            service = open_service(settings, compressor, stack)
    rewriter = Rewriter(service, store, pin_ttl_s=settings.pin_ttl_s)
    ping = RedisPing(settings.redis_url.get_secret_value()) if settings.redis_url else None
    return Compression(rewriter, store, check, service, ping, tier)


async def _open_store(settings: Settings, stack: AsyncExitStack) -> Store:
    store = open_store(
        local_bytes=settings.local_cache_bytes,
        redis_url=settings.redis_url.get_secret_value() if settings.redis_url else None,
        folder=settings.cache_dir,
        file_bytes=settings.cache_file_bytes,
        timeout_ms=settings.redis_timeout_ms,
        ttl_s=settings.cache_ttl_s,
    )
    stack.push_async_callback(store.aclose)
    if store.shared is not None:
        await store.shared.connect()  # a second at most; else the first requests would miss what others know
    return store
