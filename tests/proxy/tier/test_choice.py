"""Which replica a text goes to: one with less to do for everybody, not for this proxy alone."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from itertools import count
from types import SimpleNamespace

import pytest

from moosproxy.compressor import CompressionSettings
from moosproxy.proxy.scheduling.scheduler import Overloaded
from moosproxy.proxy.tier import address
from moosproxy.proxy.tier.address import PROBE_PATIENCE_S, Address, Hello
from moosproxy.proxy.tier.fleet import Fleet
from moosproxy.proxy.tier.wire import PROTOCOL, PROTOCOL_HEADER
from tests.proxy.fakes import FakeCompressor, prose
from tests.proxy.tier.replicas import SHORT, TEXT, ask, live, remote


async def test_what_others_wait_for_is_seen_before_and_after_an_answer() -> None:
    busy, idle = FakeCompressor(), FakeCompressor()
    with ExitStack() as stack:
        first, second = (stack.enter_context(live(each)) for each in (busy, idle))
        async with remote(first.url) as other, remote(first.url, second.url) as service:
            busy.gate.clear()
            waiting = [asyncio.create_task(ask(other, prose(3_000 + n), 30)) for n in range(3)]
            until = time.monotonic() + 5
            while not any(at.others for at in service.fleet.addresses):  # told by a probe
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            assert [await ask(service) for _ in range(12)] == [SHORT] * 12
            assert len(idle.scored) >= 12 and idle.planned == 12
            busy.gate.set()
            await asyncio.gather(*waiting)
            until = time.monotonic() + 5
            while any(at.queued for at in service.fleet.addresses):
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            before = busy.planned
            for _ in range(40):
                await ask(service)
            assert 5 < busy.planned - before < 35


async def test_an_answer_tells_what_others_wait_for_there() -> None:
    busy = FakeCompressor(score_s=0.05)
    with live(busy) as tier:
        async with remote(tier.url) as other, remote(tier.url) as service:
            (at,) = service.fleet.addresses
            waiting = [asyncio.create_task(ask(other, prose(6_400 + n), 30)) for n in range(6)]
            await asyncio.sleep(0.05)
            at.others = 0
            # another team's text: one of the same team would wait for all of them
            await service.compress(TEXT, CompressionSettings(), "another", time.monotonic() + 30)
            assert at.load == 0 and at.others > 1_000
            await asyncio.gather(*waiting)
            await ask(service)
            assert at.queued == 0


async def test_a_number_that_is_none_changes_nothing() -> None:
    with live() as tier:
        async with remote(tier.url) as service:
            (at,) = service.fleet.addresses
            told = {"fingerprint": at.hello.fingerprint, "calibration": None}  # type: ignore[union-attr]
            for queued in ("many", None, -5, 1.5, [3]):
                at.hear({**told, "queued_tokens": queued})
                assert at.queued == 0
            at.hear({**told, "queued_tokens": 10**30})
            assert 0 < at.queued <= 2**40
            assert await ask(service) == SHORT


async def test_one_that_is_full_tells_what_waits_there() -> None:
    busy = FakeCompressor()
    with live(busy, max_queued_tokens=10_000) as tier:
        async with remote(tier.url) as other, remote(tier.url) as service:
            (at,) = service.fleet.addresses
            busy.gate.clear()
            waiting = asyncio.create_task(ask(other, prose(2_000), 30))
            until = time.monotonic() + 5
            while not busy.scored:
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            at.others = 0
            with pytest.raises(Overloaded):
                await ask(service, prose(6_000))
            assert at.load == 0 and at.others > 1_000
            busy.gate.set()
            await waiting


async def test_hundreds_that_are_asked_for_their_state_are_all_up() -> None:
    """A probe's patience is for the replica, and not for the proxy's other probes."""
    body = b'{"fingerprint": "fake-1", "calibration": null, "queued_tokens": 0}'
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{PROTOCOL_HEADER}: {PROTOCOL}\r\n\r\n".encode()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        time.sleep(PROBE_PATIENCE_S / 200)  # noqa: ASYNC251 (what a busy machine takes of this very loop)
        writer.write(head + body)
        writer.close()

    faults: list[str] = []
    async with await asyncio.start_server(greet, "127.0.0.1", 0, backlog=1000) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        fleet = Fleet([], None, faults.append)
        fleet._addresses = {(url, str(n)): Address(url, "localhost") for n in range(300)}
        await fleet.open()
        await fleet.aclose()

    assert all(at.up for at in fleet.addresses) and not faults


def test_one_whose_rest_ends_while_it_is_looked_at_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(1)
    monkeypatch.setattr(address, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    fleet = Fleet([], None, str)
    at = Address("http://127.0.0.1:1", "localhost", hello=Hello("fake-1", None), last_resort_until=1.5)
    fleet._addresses["http://localhost:1", "127.0.0.1"] = at

    assert fleet.choose("fake-1", ()) is at
