"""Whatever a replica does wrong: another one does the work, or the fault is named and no text is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from moosproxy.proxy.bench.sides import free_port
from moosproxy.proxy.opening.tier import OpenTier
from moosproxy.proxy.scheduling.scheduler import DeadlineMissed
from moosproxy.proxy.tier.remote import TierUnreachable
from moosproxy.proxy.tier.wire import PROTOCOL_HEADER
from tests.proxy.fakes import prose
from tests.proxy.live import Exchange, LiveProxy, ScriptedUpstream
from tests.proxy.tier.replicas import SHORT, ReplicaProcess, ask, live, remote

HELLO = b'{"fingerprint": "fake-1", "calibration": "calibrated"}'
VERSION = (PROTOCOL_HEADER, "1")


@pytest.fixture
def odd() -> Iterator[ScriptedUpstream]:
    """Whatever a test scripts, in place of a replica."""
    with ScriptedUpstream() as server:
        yield server


def url(server: ScriptedUpstream) -> str:
    return server.url.removesuffix("/v1")


async def test_nothing_listens_at_one_of_two(tier: LiveProxy) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    async with remote(dead, tier.url) as service:
        assert await ask(service) == SHORT
        check = OpenTier(service, "original").check()

    assert service.faults == {"down": 1}
    assert check.state == "degraded" and dead in check.detail and "1 of 2" in check.detail


async def test_nothing_listens_at_all() -> None:
    async with remote(f"http://127.0.0.1:{free_port()}") as service:
        began = time.monotonic()
        with pytest.raises(TierUnreachable):
            await ask(service)
        assert time.monotonic() - began < 4
        began = time.monotonic()
        with pytest.raises(TierUnreachable):
            await ask(service)
        assert time.monotonic() - began < 0.5, "once it is known to be away, nobody waits"
        check = OpenTier(service, "original").check()

    assert check.state == "missing" and "out as they came" in check.detail


async def _hello_alone(exchange: Exchange) -> None:
    if exchange.request.target == "/v1/tier":
        await exchange.reply(200, HELLO, VERSION)
    else:
        await exchange.reply(200, b"\0\0\0\2{}" + bytes(16), VERSION)


async def _other_version(exchange: Exchange) -> None:
    await exchange.reply(200, HELLO, (PROTOCOL_HEADER, "2"))


async def _a_web_page(exchange: Exchange) -> None:
    await exchange.reply(200, b"<html>", ("content-type", "text/html"))


async def _half_an_answer(exchange: Exchange) -> None:
    if exchange.request.target == "/v1/tier":
        await exchange.reply(200, HELLO, VERSION)
    else:
        await exchange.head(200, ("content-length", "5000"), VERSION)
        await exchange.send(b"half")
        exchange.writer.close()


async def _a_broken_gateway(exchange: Exchange) -> None:
    if exchange.request.target == "/v1/tier":
        await exchange.reply(200, HELLO, VERSION)
    else:
        await exchange.reply(502, b"bad gateway")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (_hello_alone, "garbage"),
        (_other_version, "protocol"),
        (_a_web_page, "garbage"),
        (_half_an_answer, "down"),
        (_a_broken_gateway, "down"),
    ],
)
async def test_an_odd_replica_beside_a_good_one(
    tier: LiveProxy, odd: ScriptedUpstream, script: Any, kind: str
) -> None:
    odd.scripts["tier"] = script
    async with remote(url(odd), tier.url) as service:
        for _ in range(8):
            assert await ask(service) == SHORT

    assert set(service.faults) == {kind}


async def test_a_replica_of_another_key_is_named(odd: ScriptedUpstream) -> None:
    with live(compressor_key="right") as keyed:
        async with remote(keyed.url, key="wrong") as service:
            check = OpenTier(service, "original").check()
            assert check.state == "missing" and "MOOS_COMPRESSOR_KEY" in check.detail
            assert "wrong" not in check.detail
        async with remote(keyed.url, key="right") as service:
            assert await ask(service) == SHORT


async def test_nonsense_alone_never_shapes_a_text(odd: ScriptedUpstream) -> None:
    odd.scripts["tier"] = _hello_alone
    async with remote(url(odd)) as service:
        with pytest.raises(TierUnreachable):
            await ask(service, seconds=8)
        check = OpenTier(service, "original").check()

    assert check.state == "missing" and "an answer that is none" in check.detail


async def _greets_and_stalls(exchange: Exchange) -> None:
    if exchange.request.target == "/v1/tier":
        await exchange.reply(200, HELLO, VERSION)
    else:
        await exchange.gone(30)


async def test_a_replica_that_stalls_misses_the_deadline_and_is_counted(odd: ScriptedUpstream) -> None:
    odd.scripts["tier"] = _greets_and_stalls
    async with remote(url(odd)) as service:
        began = time.monotonic()
        with pytest.raises(DeadlineMissed):
            await ask(service, seconds=0.5)
        assert time.monotonic() - began < 1
        assert service.queued_tokens == 0

    assert service.faults == {"late": 1}


async def test_one_that_greets_and_stalls_is_left_for_another(tier: LiveProxy, odd: ScriptedUpstream) -> None:
    odd.scripts["tier"] = _greets_and_stalls
    late = 0
    async with remote(url(odd), tier.url) as service:
        for _ in range(24):
            try:
                assert await ask(service, seconds=0.3) == SHORT
            except DeadlineMissed:
                late += 1

    assert late <= 2, "half of all texts would be late"


async def test_one_that_refuses_what_it_names_is_not_asked_for_ever(odd: ScriptedUpstream) -> None:
    asked = 0

    async def refuse(exchange: Exchange) -> None:
        nonlocal asked
        asked += exchange.request.target != "/v1/tier"
        await exchange.reply(200 if exchange.request.target == "/v1/tier" else 409, HELLO, VERSION)

    odd.scripts["tier"] = refuse
    async with remote(url(odd)) as service:
        with pytest.raises(TierUnreachable):
            await ask(service)

    assert asked < 20, "nobody waits between two questions"


async def test_an_answer_far_larger_than_its_text_is_none(odd: ScriptedUpstream) -> None:
    sent = 0

    async def flood(exchange: Exchange) -> None:
        nonlocal sent
        if exchange.request.target == "/v1/tier":
            await exchange.reply(200, HELLO, VERSION)
            return
        await exchange.head(200, ("content-length", str(64 * 1024 * 1024)), VERSION)
        sent += 1
        await exchange.gone(30)

    odd.scripts["tier"] = flood
    async with remote(url(odd)) as service:
        with pytest.raises((TierUnreachable, DeadlineMissed)):
            await ask(service, seconds=3)

    assert sent and service.faults["garbage"]


@pytest.mark.slow
async def test_the_texts_of_a_frozen_replica_go_to_another() -> None:
    with ReplicaProcess(score_s=1.0) as one, ReplicaProcess() as two:
        async with remote(one.url, two.url) as service:
            asking = [asyncio.create_task(ask(service, prose(60, f"a{n}"), seconds=20)) for n in range(6)]
            await asyncio.sleep(0.3)
            one.freeze()
            began = time.monotonic()
            assert [len(text.split()) for text in await asyncio.gather(*asking)] == [30] * 6
            assert time.monotonic() - began < 8
            assert await ask(service) == SHORT

    assert "stalled" in service.faults


@pytest.mark.slow
async def test_a_killed_replica_loses_no_text() -> None:
    with ReplicaProcess(score_s=0.1) as one, ReplicaProcess(score_s=0.1) as two:
        async with remote(one.url, two.url) as service:
            asking = [asyncio.create_task(ask(service, prose(60, f"b{n}"), seconds=20)) for n in range(20)]
            await asyncio.sleep(0.3)
            one.kill()
            found = await asyncio.gather(*asking)
            assert found == [" ".join(prose(60, f"b{n}").split()[::2]) for n in range(20)]
            one.start()
            until = time.monotonic() + 5
            while not all(at.up for at in service.fleet.addresses):
                assert time.monotonic() < until, "a replica that is back is found again"
                await asyncio.sleep(0.1)
