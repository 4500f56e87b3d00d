"""Models on this machine at start: loaded where the policies ask, measured, and what readiness says of them."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from moosproxy.policies.model import Upstream
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.rewriting.break_even import BreakEven
from moosproxy.proxy.services import PolicySource
from moosproxy.proxy.upstreams.pool import UpstreamPool

_LOOK_S = 1.0
_AGAIN_S = 30.0


@runtime_checkable
class Preloads(Protocol):
    """An upstream whose models can be loaded before they are asked."""

    async def preload(self, model: str) -> None:
        """Returns once the model answers as fast as it can."""


class LocalModels:
    """Follows the policies in force. Belongs to one event loop."""

    def __init__(self, source: PolicySource, pool: UpstreamPool, break_even: BreakEven) -> None:
        self._source = source
        self._pool = pool
        self._break_even = break_even
        self._loading: tuple[str, ...] = _preloaded(source.current)
        self._faults: dict[str, str] = {}

    async def run(self) -> None:
        """For ever: loads what is to be loaded, measures what has not been, again with every change."""
        while True:
            policies = self._source.current
            self._loading = _preloaded(policies)
            self._faults.clear()
            await self._load(policies)
            await self._break_even.measure_all(policies, self._pool, lambda model: model.preload)
            self._loading = ()
            await self._break_even.measure_all(policies, self._pool)
            await self._wait(policies)

    async def loading_check(self) -> Check:
        """Whether the models that are loaded at start are there, or are known not to be."""
        if self._loading:
            return Check("missing", f"being loaded: {', '.join(self._loading)}")
        return Check("ok" if _preloaded(self._source.current) else "off")

    async def faults_check(self) -> Check:
        """Whether one of them could not be loaded."""
        if not self._faults:
            return Check("ok" if _preloaded(self._source.current) else "off")
        return Check("degraded", "; ".join(f"model {name}: {reason}" for name, reason in self._faults.items()))

    async def _load(self, policies: PolicySet) -> None:
        for upstream in policies.upstreams.values():
            await self._load_of(upstream, [name for name, model in upstream.models.items() if model.preload])

    async def _load_of(self, upstream: Upstream, names: list[str]) -> None:
        client: object = self._pool.client(upstream) if names else None
        if not isinstance(client, Preloads):
            return
        for name in names:
            self._faults.pop(name, None)
            try:
                await client.preload(name)
            except Exception as fault:  # the others are loaded all the same
                self._faults[name] = str(fault) or type(fault).__name__
                LOG.warning("model not loaded", extra={"fields": {"model": name, "reason": self._faults[name]}})

    async def _wait(self, policies: PolicySet) -> None:
        """Until the policies change. What could not be loaded is tried again now and then: a file may come."""
        waited = 0.0
        while self._source.current is policies:
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S
            if waited >= _AGAIN_S:
                waited = 0.0
                for upstream in policies.upstreams.values():
                    await self._load_of(upstream, [name for name in self._faults if name in upstream.models])


def _preloaded(policies: PolicySet) -> tuple[str, ...]:
    return tuple(
        name
        for upstream in policies.upstreams.values()
        for name, model in upstream.models.items()
        if model.preload
    )
