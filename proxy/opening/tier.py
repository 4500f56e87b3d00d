"""A proxy's end of a compressor tier, with the model that it may fall back to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.observing.metrics import Metrics
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.opening.model import load_compressor, open_service
from moosproxy.proxy.scheduling.scheduler import CompressionService
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.tier.remote import RemoteService, TierUnreachable


@dataclass(slots=True)
class OpenTier:
    """The tier as a proxy sees it."""

    service: RemoteService
    fallback: str

    def check(self) -> Check:
        """Whether texts find a replica, and what is wrong with which."""
        fleet, serving = self.service.fleet, self.service.lineage.now.serving
        faults = dict(fleet.faults)
        up = [at for at in fleet.addresses if at.up and at.hello is not None]
        for at in up:
            if at.hello is not None and serving and at.hello.print != serving:
                faults[at.url] = f"has fingerprint {at.hello.print[:12]}, the fleet asks for {serving[:12]}"
        told = (
            f"tier: {len(up)} of {len(fleet.addresses)} addresses, fingerprint {serving[:12] or 'not known yet'}"
        )
        wrong = "; ".join(f"{url}: {reason}" for url, reason in sorted(faults.items()))
        if not up:
            return Check("missing", f"{told}; {wrong}; texts go {self._instead}")
        return Check("degraded", f"{told}; {wrong}") if faults else Check("ok", told)

    def report(self, metrics: Metrics) -> None:
        """Tells of faults, fallbacks and ways from now on, and of the faults of the start first."""
        for kind in self.service.faults.elements():
            metrics.tier_fault(kind)
        self.service.on_fault, self.service.on_fallback = metrics.tier_fault, metrics.tier_fallback
        self.service.on_way = metrics.tier_way

    @property
    def _instead(self) -> str:
        return "to the local model (MOOS_COMPRESSOR_FALLBACK)" if self.fallback == "local" else "out as they came"


async def open_tier(settings: Settings, shared: SharedCache | None, stack: AsyncExitStack) -> OpenTier:
    """A proxy's end. Replicas that are not there yet are found later. The stack closes it."""
    key = settings.compressor_key.get_secret_value() if settings.compressor_key else None
    service = RemoteService(settings.compressor_urls, key, shared, settings.cache_ttl_s)
    stack.push_async_callback(service.aclose)
    if settings.compressor_fallback == "local":
        service.local = LocalModel(settings, stack)
    await service.open()
    return OpenTier(service, settings.compressor_fallback)


class LocalModel:
    """The model of this process, loaded when the tier first fails. One load for all who wait."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._loading: asyncio.Task[CompressionService | None] | None = None

    async def __call__(self) -> CompressionService:
        """Raises TierUnreachable where it cannot be loaded; the log says why."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        service = await asyncio.shield(self._loading)
        if service is None:
            raise TierUnreachable
        return service

    async def _load(self) -> CompressionService | None:
        compressor, _ = await load_compressor(self._settings, self._stack)
        return open_service(self._settings, compressor, self._stack) if compressor is not None else None
