"""A checkpoint is replaced, replica by replica: what went out once goes out again as it was, whoever is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from moosproxy.policies.model import Policy
from moosproxy.proxy.cache.opening import open_store
from moosproxy.proxy.opening.serving import TierApp
from moosproxy.proxy.opening.tier import OpenTier
from moosproxy.proxy.rewriting.outcome import Overrides
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.settings import Settings
from moosproxy.proxy.tier.lineage import NAME, UNSEEN, Lineage, SharedLineage
from moosproxy.proxy.tier.remote import RemoteService
from tests.proxy.fakes import FakeCompressor, prose
from tests.proxy.live import LiveProxy
from tests.proxy.tier.replicas import ReplicaProcess, live, remote

OLD = {"fingerprint": "old", "skew": 0}
NEW = {"fingerprint": "new", "skew": 1}


class Proxy:
    """Its rewriter, and the tier behind it."""

    def __init__(self, rewriter: Rewriter, service: RemoteService) -> None:
        self._rewriter = rewriter
        self.service = service

    async def send(self, *texts: str) -> list[str]:
        """What goes upstream of a conversation with these texts."""
        body = {"messages": [{"role": "user", "content": text} for text in texts]}
        out = await self._rewriter.rewrite(body, Policy(min_tokens=20), None, Overrides())
        return [message["content"] for message in out.body["messages"]]


@asynccontextmanager
async def proxy(folder: Path, *urls: str) -> AsyncIterator[Proxy]:
    """A proxy that shares a cache with all others of this folder."""
    async with AsyncExitStack() as stack:
        store = open_store(folder=folder, timeout_ms=2_000)
        stack.push_async_callback(store.aclose)
        service = await stack.enter_async_context(remote(*urls, shared=store.shared))
        yield Proxy(Rewriter(service, store), service)


def old(text: str) -> str:
    return " ".join(text.split()[::2])


def new(text: str) -> str:
    return " ".join(text.split()[1::2])


@pytest.mark.slow
async def test_an_update_changes_no_text_that_was_sent(tmp_path: Path) -> None:
    first, second, third, fourth = (prose(100, seed) for seed in "abcd")
    with ReplicaProcess(**OLD) as one, ReplicaProcess(**OLD) as two:
        async with proxy(tmp_path, one.url, two.url) as here, proxy(tmp_path, two.url, one.url) as there:
            assert await here.send(first) == [old(first)]
            one.kill()
            one.start(**NEW)
            await asyncio.sleep(1.5)
            for _ in range(4):  # while one of the old is left, it is asked
                assert await here.send(first, second) == [old(first), old(second)]
            assert OpenTier(here.service, "original").check().state == "degraded"
            two.kill()
            two.start(**NEW)
            await asyncio.sleep(1.5)
            conversation = [old(first), old(second), new(third)]
            assert await there.send(first, second, third) == conversation
            assert await here.send(first, second, third, fourth) == [*conversation, new(fourth)]
            assert OpenTier(there.service, "original").check().state == "ok"
            async with proxy(tmp_path, one.url) as late:  # one that never saw the old
                assert await late.send(first, second, third, fourth) == [*conversation, new(fourth)]
                assert late.service.fingerprint == "old"
                assert late.service.lineage.now.serving == "new-calibrated"


def mixed() -> LiveProxy:
    """Two replicas behind one address, each asked in turn."""
    apps = [
        TierApp(Settings(), FakeCompressor(fingerprint=name, skew=skew)) for skew, name in enumerate(("a", "b"))
    ]

    class Balancer:
        turns = 0

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                async with apps[1]._lifespan(None):
                    await apps[0](scope, receive, send)
                return
            self.turns += 1
            await apps[self.turns % 2](scope, receive, send)

    return LiveProxy(Balancer())


async def test_behind_one_address_the_asked_fingerprint_answers() -> None:
    text = prose(100)
    with mixed() as tier:
        async with remote(tier.url) as service:
            serving = service.lineage.now.serving
            wanted = old(text) if serving.startswith("a") else new(text)
            rewriter = Rewriter(service, open_store())
            for number in range(10):
                sent = await Proxy(rewriter, service).send(f"{text} {number}")
                assert sent[0].startswith(wanted)
            assert service.lineage.now.serving == serving

    assert "fingerprint" in service.faults


async def test_a_proxy_that_began_without_a_tier_keeps_what_it_sent(tmp_path: Path) -> None:
    text, more = prose(100, "e"), prose(100, "f")
    replica = live(FakeCompressor(fingerprint="first"))
    with replica:
        port = replica.port
    async with proxy(tmp_path, f"http://127.0.0.1:{port}") as here:
        assert await here.send(text) == [text]
        with ReplicaProcess.at(port, **OLD):
            await asyncio.sleep(1.5)
            assert await here.send(text, more) == [text, old(more)]
            assert here.service.fingerprint == UNSEEN


async def test_the_older_lineage_stays(tmp_path: Path) -> None:
    shared = open_store(folder=tmp_path).shared
    assert shared is not None
    here, there = SharedLineage(shared, 3600), SharedLineage(shared, 3600)
    await here.begin(None)
    here.now = older = Lineage("a", None, "a", 1.0)
    await there.begin(None)
    await here.refresh()
    await there.refresh()
    assert here.now == there.now == older
    await there.serve("b")
    await here.refresh()
    assert here.now == Lineage("a", None, "b", 1.0)
    await shared.replace(NAME, b"{nonsense", 60)
    await here.refresh()
    (written,) = await shared.get_many([NAME])
    assert Lineage.from_bytes(written) == here.now
    await shared.aclose()


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[1,2,3,4]", b'["",null,"",1.0]', b'["a",null,"b"]'])
def test_what_is_no_lineage_is_none(value: bytes | None) -> None:
    assert Lineage.from_bytes(value) is None
