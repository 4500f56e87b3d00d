"""Brings the compressor, its queue and the cache up and down again, and says what is wrong with them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from moosproxy.compressor.errors import CompressorError
from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.observing.redis_ping import RedisPing
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.rewriting.uncompressed import Uncompressed
from moosproxy.proxy.scheduling.scheduler import CompressionService, CompressorLike
from moosproxy.proxy.services import RewriterLike
from moosproxy.proxy.settings import Settings

_FIRST_TEXT = "The import of 2024 stopped at line 17, because the disk was full. Nobody noticed until Monday. " * 8


@dataclass(slots=True)
class Compression:
    """The rewriter, and the state of what stands behind it."""

    rewriter: RewriterLike
    store: Store | None
    checkpoint: Check
    service: CompressionService | None = None
    redis: RedisPing | None = None

    async def checkpoint_check(self) -> Check:
        """Whether there is a compressor."""
        return self.checkpoint

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
    check = Check("ok")
    if compressor is None:
        compressor, check = await _load(settings, stack)
    service = None
    if compressor is not None:
        service = CompressionService(compressor, settings.max_queued_tokens)
        stack.push_async_callback(service.aclose)
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
    rewriter = Rewriter(service, store, pin_ttl_s=settings.pin_ttl_s)
    ping = RedisPing(settings.redis_url.get_secret_value()) if settings.redis_url else None
    return Compression(rewriter, store, check, service, ping)


async def _load(settings: Settings, stack: AsyncExitStack) -> tuple[CompressorLike | None, Check]:
    try:
        from moosproxy.compressor import Compressor  # brings the engine's libraries into memory

        def load() -> Compressor:
            compressor = Compressor.load(
                settings.checkpoint,
                engine=settings.engine,
                threads=settings.compressor_threads or None,
                calibration=settings.calibration,
            )
            compressor.compress(_FIRST_TEXT)  # tables, tokenizer and engine are made ready by the first text
            return compressor

        compressor = await asyncio.to_thread(load)
    except (CompressorError, ImportError, OSError) as fault:
        LOG.error("no compressor: nothing is compressed", extra={"fields": {"reason": str(fault)}})
        return None, Check("missing", str(fault))
    stack.callback(compressor.close)
    engine = f"engine {compressor.engine.name}, {compressor.engine.kernels}"
    return compressor, Check("ok", f"fingerprint {compressor.fingerprint[:12]}, {engine}")
