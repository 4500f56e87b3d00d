"""Puts the proxy together. The only place where the three rooms, the cache and the upstreams meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI

from moosproxy import __version__
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.connections.lobby import STATE, Lobby, open_lobby
from moosproxy.proxy.ledger.spent import Spent
from moosproxy.proxy.limits.book import RedisBook
from moosproxy.proxy.limits.file_book import FileBook
from moosproxy.proxy.limits.gate import Gate
from moosproxy.proxy.limits.tally import Tally
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.metrics import Metrics, several_workers
from moosproxy.proxy.observing.readiness import Check, Probe, Readiness
from moosproxy.proxy.observing.tracing import open_tracing, wanted
from moosproxy.proxy.opening.compression import open_compression
from moosproxy.proxy.opening.ledger import open_ledger
from moosproxy.proxy.opening.local_models import LocalModels
from moosproxy.proxy.opening.policies import (
    keyless,
    limits_check,
    open_policies,
    policies_check,
    state_check,
    upstreams_check,
)
from moosproxy.proxy.opening.soft_models import SoftModels
from moosproxy.proxy.rewriting.break_even import BreakEven, default_folder
from moosproxy.proxy.rewriting.explain import Explainer
from moosproxy.proxy.routes import pages, ui
from moosproxy.proxy.routes.front import Front
from moosproxy.proxy.scheduling.scheduler import CompressorLike
from moosproxy.proxy.services import Price, Services
from moosproxy.proxy.settings import Settings, proxy_hint
from moosproxy.proxy.upstreams.litellm_sdk import import_litellm
from moosproxy.proxy.upstreams.pool import UpstreamPool
from moosproxy.proxy.upstreams.relay import RelaySession


def create_app(
    settings: Settings | None = None,
    policy_set: PolicySet | None = None,
    compressor: CompressorLike | None = None,
    on_started: Callable[[Lobby], None] | None = None,
    price: Price | None = None,
) -> Front:
    """The ASGI application. Nothing is opened before its lifespan starts.

    settings: from the environment if not given. policy_set: instead of the files that the settings name.
    compressor: instead of the checkpoint that the settings name; the caller closes it.
    on_started: called once everything is loaded, before the first request, with what the connections share.
    price: of a finished request in US dollars, instead of the list of prices.
    """
    settings = settings or Settings()
    running = _Running(settings, policy_set, compressor, on_started, price)
    app = pages.make_pages(running.lifespan, running.readiness, running.metrics, __version__)
    paths = ui.add(app, running.services, __version__) if settings.ui == "on" else ui.Paths()
    return Front(app, running.services, pages.PATHS | paths.guarded | paths.open, pages.OPEN | paths.open)


class _Running:
    """What lives between start and end of the application."""

    def __init__(
        self,
        settings: Settings,
        policy_set: PolicySet | None,
        compressor: CompressorLike | None,
        on_started: Callable[[Lobby], None] | None,
        price: Price | None,
    ) -> None:
        self._settings = settings
        self._policy_set = policy_set
        self._compressor = compressor
        self._on_started = on_started
        self._price = price
        self._lobby = open_lobby(settings)
        self._open: tuple[Services, Readiness] | None = None

    def services(self) -> Services:
        """For the requests."""
        return self._opened()[0]

    def readiness(self) -> Readiness:
        """For /readyz."""
        return self._opened()[1]

    def metrics(self) -> Metrics:
        """For /metrics."""
        return self._opened()[0].metrics

    def _opened(self) -> tuple[Services, Readiness]:
        if self._open is None:
            raise RuntimeError("the application has not started: its server must run the lifespan")
        return self._open

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[dict[str, Any]]:
        """Opens everything, and closes it in the opposite order. Yields what the server's connections share."""
        async with AsyncExitStack() as stack:
            self._open = await self._start(stack)
            if self._on_started is not None:
                self._on_started(self._lobby)
            try:
                yield {STATE: self._lobby}
            finally:
                self._open = None

    async def _start(self, stack: AsyncExitStack) -> tuple[Services, Readiness]:
        settings = self._settings
        source = await open_policies(settings, self._policy_set, stack)
        reason = keyless(settings, source.current)
        if reason is not None:
            raise RuntimeError(reason)
        await stack.enter_async_context(self._lobby.watched())
        session = RelaySession(trust_env=settings.trust_env, ca_bundle=settings.ca_bundle)
        await stack.enter_async_context(session)
        compression = await open_compression(settings, self._compressor, stack)
        metrics = Metrics()
        if compression.store is not None and compression.store.shared is not None:
            shared = compression.store.shared
            shared.on_fault = partial(metrics.shared_cache_fault, shared.layer)
        if compression.tier is not None:
            compression.tier.report(metrics)
        tracing = open_tracing(__version__, metrics, stack)
        if several_workers() or wanted("METRICS"):
            sharing = asyncio.create_task(metrics.share())
            stack.callback(sharing.cancel)
        pool = UpstreamPool(session, metrics, settings.state_dir)
        if any(upstream.kind == "litellm" for upstream in source.current.upstreams.values()):
            # Seconds, which the first request need not wait for. A fault of the import is that request's to tell.
            loading = asyncio.create_task(asyncio.to_thread(import_litellm))
            loading.add_done_callback(lambda done: done.cancelled() or done.exception())
            stack.callback(loading.cancel)
        stack.push_async_callback(pool.aclose)
        break_even = BreakEven(compression.service, settings.state_dir)
        local = LocalModels(source, pool, break_even)
        soft = SoftModels(source, settings.state_dir)
        for work in (local.run(), soft.run(), break_even.keep_true()):
            stack.push_async_callback(_ended, asyncio.create_task(work))
        gate = _open_gate(settings, metrics)
        stack.push_async_callback(gate.tally.aclose)
        ledger, prices = await open_ledger(settings, source, metrics, stack)
        services = Services(
            settings, source, metrics, pool, compression.rewriter, break_even, self._lobby.held, gate,
            self._price or Spent(prices, lambda: source.current.upstreams),
            explainer=Explainer(compression.service),
            prices=prices, ledger_writer=ledger.writer, ledger=ledger.reader, tracing=tracing,
        )  # fmt: skip
        probes: dict[str, Probe] = {
            "checkpoint": compression.checkpoint_check,
            "ledger": ledger.check,
            "limits": partial(limits_check, source, gate),
            "local_models": local.faults_check,
            "policies": partial(policies_check, source),
            "preload": local.loading_check,
            "serving": self._serving_check,
            "soft": soft.check,
            "shared_cache": compression.shared_cache_check,
            "state": partial(state_check, settings, source),
            "upstreams": partial(upstreams_check, source),
        }
        required = frozenset({"serving", "preload", *(["checkpoint"] if settings.require_compressor else [])})
        readiness = Readiness(probes, required)
        await _tell(readiness, settings)
        LOG.info("started", extra={"fields": {"upstreams": sorted(source.current.upstreams)}})
        return services, readiness

    async def _serving_check(self) -> Check:
        """Whether new requests may come."""
        return Check("missing", "the proxy is about to end") if self._lobby.draining else Check("ok")


def _open_gate(settings: Settings, metrics: Metrics) -> Gate:
    """Limits, shared through Redis or a file of the state folder. Opens nothing before something is bounded."""
    url = settings.redis_url
    book = RedisBook(url.get_secret_value()) if url else FileBook(settings.state_dir or default_folder())
    tally = Tally(book, settings.workers)
    tally.on_alone = metrics.limits_alone
    return Gate(tally)


async def _tell(readiness: Readiness, settings: Settings) -> None:
    """What is wrong from the start stands in the log, for those who do not ask for readiness."""
    for name, check in (await readiness.report())["checks"].items():
        if check["state"] in ("degraded", "missing"):
            LOG.warning("not as configured", extra={"fields": {"check": name, "reason": check.get("detail", "")}})
    hint = proxy_hint(settings)
    if hint:
        LOG.warning("proxy not used", extra={"fields": {"reason": hint}})


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancels the task and waits until it has cleaned up."""
    task.cancel()
    await asyncio.wait([task])
