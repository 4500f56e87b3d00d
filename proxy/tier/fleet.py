"""Every address of the tier: asked for its state each second, chosen by what it has to do for everybody."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from moosproxy.proxy.log import LOG
from moosproxy.proxy.tier.address import Address, Fault, Said

PROBE_EVERY_S = 1.0
BARRED_S = 10.0
"""A replica that answered nonsense is not asked for so long, whatever it says of itself."""
_STALLS = 2
"""Probes in a row without an answer, after which requests under way are given up: a busy replica may be late."""
_AT_ONCE = 64
"""Probes: of hundreds each would wait for all of them, and every replica would be called stalled."""
_SILENT_S = 30.0
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Fleet:
    """Belongs to one event loop."""

    def __init__(self, urls: Sequence[str], key: str | None, on_fault: Callable[[str], None]) -> None:
        """urls: http:// or https://, without a path. on_fault: told the kind of each fault."""
        self._urls = urls
        self._key = key
        self._on_fault = on_fault
        self._session: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None
        self._probes: set[asyncio.Task[None]] = set()
        self._addresses: dict[tuple[str, str], Address] = {}
        self._unresolved: dict[str, str] = {}
        self._lost_at: float | None = None
        self._warned: dict[str, float] = {}

    async def open(self) -> None:
        """One round of probes."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=PROBE_EVERY_S)
        kept = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(connector=kept, timeout=timeout)
        # Behind one address may be many replicas: a connection that is open leads to the same one again.
        new = aiohttp.TCPConnector(limit=0, force_close=True)
        self._fresh = aiohttp.ClientSession(connector=new, timeout=timeout)
        await self.round()

    async def watch(self) -> None:
        """Asks every address for its state, for ever."""
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            await self.round()

    async def aclose(self) -> None:
        """Closes every connection."""
        for probe in self._probes:
            probe.cancel()
        for session in (self._session, self._fresh):
            if session is not None:
                await session.close()

    @property
    def addresses(self) -> Collection[Address]:
        """All that the URLs stand for, as far as they are known."""
        return self._addresses.values()

    @property
    def lost_s(self) -> float:
        """Seconds for which no address has been up; 0 while one is."""
        return 0.0 if self._lost_at is None else time.monotonic() - self._lost_at

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by address."""
        found = {at.url: at.fault.reason for at in self.addresses if at.fault is not None}
        return found | self._unresolved

    def choose(self, wanted: str, tried: Collection[Address]) -> Address | None:
        """Of those that are up, of the wanted print if any is: untried ones first, then who answers, then of two
        of these who has less to do for everybody. Of two, since what is known of others is up to a second old: all
        proxies would run to the one that was idle then."""
        up = [at for at in self.addresses if at.up]
        fit = [at for at in up if at.hello is not None and at.hello.print == wanted] or up
        ranks = [(at in tried, at.last_resort) for at in fit]  # once: a rest may end at any moment
        first = min(ranks, default=None)
        best = [at for at, rank in zip(fit, ranks, strict=True) if rank == first]
        two = random.sample(best, min(2, len(best)))
        return min(two, key=lambda at: at.queued, default=None)

    async def send(self, at: Address, request: bytes, tokens: int, *, fresh: bool) -> Said:
        """One text to one address, fresh: over a new connection. Raises Fault, also once the address is found to
        be gone."""
        assert self._session is not None and self._fresh is not None
        work = asyncio.create_task(at.compress(self._fresh if fresh else self._session, request))
        at.waiting.add(work)
        at.load += tokens
        try:
            await asyncio.wait({work})
            if work.cancelled():
                raise Fault("stalled", "it stopped answering")
            said = work.result()
            at.unanswered = 0
            if said.queued is not None:
                at.hear_queued(said.queued + tokens)  # this text has left it
            return said
        except asyncio.CancelledError:
            at.left_unanswered(BARRED_S)
            raise
        except Fault as fault:
            self.note(at, fault)
            raise
        finally:
            at.load -= tokens
            at.waiting.discard(work)
            work.cancel()

    def note(self, at: Address, fault: Fault) -> None:
        """Something is wrong with an address: it is not asked until a probe goes well."""
        self._on_fault(fault.kind)
        at.fault = fault
        if fault.kind == "garbage":
            at.barred_until = time.monotonic() + BARRED_S
        self._mark_lost()
        probe = asyncio.create_task(self.probe(at))  # what stands before the replicas may have others
        self._probes.add(probe)
        probe.add_done_callback(self._probes.discard)
        if time.monotonic() - self._warned.get(at.url, -_SILENT_S) >= _SILENT_S:
            self._warned[at.url] = time.monotonic()
            LOG.warning("compressor tier", extra={"fields": {"address": at.url, "reason": fault.reason}})

    async def round(self) -> None:
        """Resolves names anew and asks each address once."""
        await asyncio.gather(*(self._resolve(url) for url in self._urls))
        some = asyncio.Semaphore(_AT_ONCE)

        async def one(at: Address) -> None:
            async with some:
                await self.probe(at)

        await asyncio.gather(*(one(at) for at in list(self.addresses)))
        self._mark_lost()

    async def probe(self, at: Address) -> None:
        """The state of one address."""
        assert self._fresh is not None
        try:
            await at.greet(self._fresh)
        except Fault as fault:
            at.stalls = at.stalls + 1 if fault.kind == "stalled" else 0
            if at.fault is None or at.fault.kind != fault.kind:
                self.note(at, fault)
            if at.stalls >= _STALLS:
                for work in at.waiting:
                    work.cancel()
            return
        at.stalls = 0
        if at.fault is not None and time.monotonic() >= at.barred_until:
            at.fault = None
            self._mark_lost()
            if self._warned.pop(at.url, None) is not None:
                LOG.info("compressor tier is back", extra={"fields": {"address": at.url}})

    def _mark_lost(self) -> None:
        if any(at.up for at in self.addresses):
            self._lost_at = None
        elif self._lost_at is None:
            self._lost_at = time.monotonic()

    async def _resolve(self, url: str) -> None:
        """A name may stand for many replicas, each with an address; over TLS it is the name that is checked."""
        parts = urlsplit(url)
        hosts = [parts.hostname or ""]
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme == "http":
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    found = await loop.getaddrinfo(hosts[0], port, type=socket.SOCK_STREAM)
            except (OSError, TimeoutError) as fault:
                self._unresolved[url] = f"its name is not known ({type(fault).__name__}): correct the URL"
                return
            self._unresolved.pop(url, None)
            hosts = _one_family(found)
        known = {(url, host): self._at(url, host, port) for host in hosts}
        for gone in [key for key in self._addresses if key[0] == url and key not in known]:
            self._addresses.pop(gone)  # requests under way end by themselves
        self._addresses.update(known)

    def _at(self, url: str, host: str, port: int) -> Address:
        if (old := self._addresses.get((url, host))) is not None:
            return old
        parts = urlsplit(url)
        netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return Address(urlunsplit((parts.scheme, netloc, "", "", "")), parts.netloc, self._key)


def _one_family(found: Sequence[tuple[Any, ...]]) -> list[str]:
    """A replica that listens on IPv4 and IPv6 counts once."""
    hosts = {family: {str(entry[4][0]) for entry in found if entry[0] == family} for family in _FAMILIES}
    return sorted(hosts[socket.AF_INET] or hosts[socket.AF_INET6])
