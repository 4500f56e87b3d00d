"""The tier in place of a compressor of one's own: the same questions, the same answers, byte for byte.

Whatever a replica does wrong, a text goes to another one, then to what is left: a model of this process, or out as
it came. One that has another fingerprint, speaks another version or answers nonsense never shapes a text.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from moosproxy.compressor import CheckpointError, CompressionResult, CompressionSettings
from moosproxy.proxy.bodies.parts import estimate_tokens
from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.log import LOG
from moosproxy.proxy.scheduling.scheduler import CompressionService, DeadlineMissed, Late, Overloaded
from moosproxy.proxy.tier.address import Address, Fault, Said
from moosproxy.proxy.tier.fleet import Fleet
from moosproxy.proxy.tier.lineage import SharedLineage
from moosproxy.proxy.tier.wire import Ask, ask_bytes, print_of, read_result

GIVE_UP_S = 2.0
"""Once no address has been up for so long, nobody waits for one any more."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_GRACE_S = 0.04
"""The tier tells itself that a deadline is missed; only where it does not, we do."""
_OTHERS = 4
"""So many answers in a row from replicas that have another print than the wanted one: the wanted one is gone."""
_MOST_FAULTS = 12

Local = Callable[[], Awaitable[CompressionService]]
"""Gives the model of this process, loaded when first asked for. Raises CompressorError or OSError."""


class TierUnreachable(Exception):
    """No replica did the work, and there is nothing else that could."""


class TierFailed(Exception):
    """The tier's compressor failed with this text, as ours would."""


@dataclass(slots=True)
class _Tries:
    """What happened to one text so far. others: replicas in a row that have another print. faults: of any kind."""

    tried: set[Address] = field(default_factory=set)
    others: int = 0
    faults: int = 0
    full: bool = False
    pause_s: float = _PAUSE_S


class RemoteService:
    """Has the shape of CompressionService. Belongs to one event loop."""

    def __init__(self, urls: list[str], key: str | None, shared: SharedCache | None, ttl_s: int) -> None:
        """urls: of the tier. key: what it wants to see, if anything. shared, ttl_s: of the cache of answers."""
        self.faults: Counter[str] = Counter()
        """Faults of the tier since the start, by kind."""
        self.on_fault: Callable[[str], None] | None = None
        """Told the kind of each fault."""
        self.on_fallback: Callable[[str], None] | None = None
        """Told where a text went that the tier did not take: `local` or `original`."""
        self.on_way: Callable[[float], None] | None = None
        """Told the seconds that a text was on its way: all but its compression."""
        self.local: Local | None = None
        self.fleet = Fleet(urls, key, self._fault)
        self.lineage = SharedLineage(shared, ttl_s)
        self._tokens = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Asks every address once, and finds out what the fleet holds on to."""
        await self.fleet.open()
        first = self.fleet.choose("", ())
        await self.lineage.begin(first.hello if first is not None else None)
        self._tasks = {asyncio.create_task(self._watch())}

    async def aclose(self) -> None:
        """Ends the probes and every connection."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.fleet.aclose()

    @property
    def fingerprint(self) -> str:
        """Under which answers are kept; what is asked for may have moved on."""
        return self.lineage.now.name

    def identity(self, settings: CompressionSettings) -> str:
        """The same, with the calibration's where a quality is asked for. Raises CheckpointError without one."""
        now = self.lineage.now
        if settings.quality is None:
            return now.name
        known = [at.hello for at in self.fleet.addresses if at.hello is not None]
        if now.calibration is None and known and not any(hello.calibration for hello in known):
            raise CheckpointError("the compressor tier has no calibration, so no policy can ask it for a quality")
        return print_of(now.name, now.calibration or "quality")

    @property
    def queued_tokens(self) -> int:
        """Estimated tokens of the texts that this process waits for."""
        return self._tokens

    async def compress(
        self,
        text: str,
        settings: CompressionSettings,
        team: str | None,
        deadline: float,
        late: Late | None = None,
        *,
        words: bool = False,
    ) -> CompressionResult:
        """As CompressionService.compress; besides it raises TierUnreachable and TierFailed.

        late: hears of texts of the local model alone.
        """
        if deadline - time.monotonic() <= 0:
            raise DeadlineMissed
        tokens = estimate_tokens(text)
        self._tokens += tokens
        try:
            async with asyncio.timeout(deadline + _GRACE_S - time.monotonic()):
                ask = Ask(text, settings, "", team, deadline, words)
                try:
                    return await self._by_tier(ask, tokens)
                except TierUnreachable:
                    return await self._without(ask, late)
        except TimeoutError:
            self._fault("late")
            raise DeadlineMissed from None
        finally:
            self._tokens -= tokens

    async def _without(self, ask: Ask, late: Late | None) -> CompressionResult:
        """By the model of this process, if there may be one. Raises TierUnreachable."""
        if self.on_fallback is not None:
            self.on_fallback("original" if self.local is None else "local")
        if self.local is None:
            raise TierUnreachable
        service = await self.local()
        return await service.compress(ask.text, ask.settings, ask.team, ask.deadline, late, words=ask.words)

    async def _by_tier(self, ask: Ask, tokens: int) -> CompressionResult:
        tries = _Tries()
        while True:
            if tries.faults >= _MOST_FAULTS:
                raise TierUnreachable
            at = self.fleet.choose(self.lineage.now.serving, tries.tried)
            if at is None or at in tries.tried:
                await self._wait(tries, at)
                continue
            began = time.perf_counter()
            ask = replace(ask, of=await self._wanted(at, tries))
            request = ask_bytes(ask)
            try:
                said = await self.fleet.send(at, request, tokens, fresh=tries.others > 0)
                if said.status == 200:
                    result = self._read(at, request, ask.text, said)
                    if self.on_way is not None and said.took is not None:
                        self.on_way(time.perf_counter() - began - said.took)
                    return result
                self._refuse(at, said, tries)
            except Fault:
                tries.tried.add(at)
                tries.faults += 1

    async def _wait(self, tries: _Tries, at: Address | None) -> None:
        """Before another round over all addresses. Raises Overloaded, TierUnreachable."""
        if tries.full:
            raise Overloaded
        if at is None and self.fleet.lost_s > GIVE_UP_S:
            raise TierUnreachable
        await asyncio.sleep(tries.pause_s)
        tries.pause_s = min(2 * tries.pause_s, _LONGEST_PAUSE_S)
        tries.tried.clear()

    async def _wanted(self, at: Address, tries: _Tries) -> str:
        """The print to ask for: the one that served so far, or this replica's where that one is gone."""
        serving, hello = self.lineage.now.serving, at.hello
        assert hello is not None
        if serving != hello.print and (not serving or tries.others >= _OTHERS):
            LOG.warning("compressor tier updated", extra={"fields": {"from": serving, "to": hello.print}})
            await self.lineage.serve(hello.print)
            tries.others = 0
        return self.lineage.now.serving

    def _read(self, at: Address, request: bytes, text: str, said: Said) -> CompressionResult:
        try:
            return read_result(request, text, said.body)
        except ValueError as fault:
            found = Fault("garbage", f"an answer that is none: {fault}")
            self.fleet.note(at, found)
            raise found from None

    def _refuse(self, at: Address, said: Said, tries: _Tries) -> None:
        """What a replica would not do. Raises what it means for the text, and Fault where something is wrong."""
        match said.status:
            case 429:
                tries.full = True
                tries.tried.add(at)
            case 409:
                tries.others += 1
                tries.faults += 1
                self._fault("fingerprint")
                at.hear(said.told)
            case 504:
                raise DeadlineMissed
            case 413 | 500:
                raise TierFailed(str(said.told.get("error")))
            case _:
                self.fleet.note(at, said.fault)
                raise said.fault

    def _fault(self, kind: str) -> None:
        self.faults[kind] += 1
        if self.on_fault is not None:
            self.on_fault(kind)

    async def _watch(self) -> None:
        watching = asyncio.create_task(self.fleet.watch())
        try:
            while True:
                await asyncio.sleep(1.0)
                await self.lineage.refresh()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
