"""A replica that ends, is full or fails with one text, and a proxy that leaves: told for what it is."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack

import pytest

from moosproxy.proxy.opening.tier import OpenTier
from moosproxy.proxy.scheduling.scheduler import DeadlineMissed, Overloaded
from moosproxy.proxy.tier.remote import TierFailed
from tests.proxy.fakes import BOOM, FakeCompressor, prose
from tests.proxy.live import LiveProxy
from tests.proxy.tier.replicas import SHORT, TEXT, ask, live, remote


async def test_a_draining_replica_is_left_for_another(tier: LiveProxy) -> None:
    with live() as ending:
        async with remote(ending.url, tier.url) as service:
            ending.app.lobby.draining = True
            for _ in range(6):
                assert await ask(service) == SHORT

    assert set(service.faults) <= {"draining"}


async def test_a_text_that_breaks_the_compressor_breaks_no_replica(tier: LiveProxy) -> None:
    async with remote(tier.url) as service:
        with pytest.raises(TierFailed, match="RuntimeError"):
            await ask(service, f"{BOOM} {TEXT}")
        assert await ask(service) == SHORT

    assert not service.faults


async def test_a_full_tier_says_so() -> None:
    with live(max_queued_tokens=10) as full:
        async with remote(full.url) as service:
            with pytest.raises(Overloaded):
                await ask(service)
    with live(max_queued_tokens=10) as full, live() as free:
        async with remote(full.url, free.url) as service:
            for _ in range(6):
                assert await ask(service) == SHORT


async def test_a_proxy_that_leaves_ends_the_work() -> None:
    compressor = FakeCompressor()
    compressor.gate.clear()
    with live(compressor) as tier:
        async with remote(tier.url) as service:
            asking = asyncio.create_task(ask(service, prose(6_400), seconds=30))
            while not compressor.scored:  # noqa: ASYNC110 - it is another thread that scores
                await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.wait({asking})
            assert service.queued_tokens == 0
            until = time.monotonic() + 5
            while tier.app.tier.queued_tokens:
                assert time.monotonic() < until
                await asyncio.sleep(0.01)
            compressor.gate.set()
            assert await ask(service) == SHORT
        assert sum(len(batch) for batch in compressor.scored) < 40, "the rest of its windows was never scored"


async def test_the_deadline_counts_at_the_tier() -> None:
    with live(FakeCompressor(score_s=0.3)) as tier:
        async with remote(tier.url) as service:
            began = time.monotonic()
            with pytest.raises(DeadlineMissed):
                await ask(service, prose(6_400), seconds=0.5)
            assert time.monotonic() - began < 0.9
            with pytest.raises(DeadlineMissed):
                await ask(service, seconds=-1)


async def test_a_name_stands_for_every_address_of_it() -> None:
    with ExitStack() as stack:
        tier = stack.enter_context(live())
        async with remote(f"http://localhost:{tier.port}") as service:
            assert await ask(service) == SHORT
            assert [at.url for at in service.fleet.addresses] == [tier.url]
        async with remote("http://nowhere.invalid:1") as service:
            check = OpenTier(service, "local").check()
            assert check.state == "missing" and "its name is not known" in check.detail
            assert "local model" in check.detail
