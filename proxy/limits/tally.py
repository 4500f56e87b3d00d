"""Amounts counted here and exchanged with other workers some times a second: a request costs no round trip.

While much is left, a request is let through on what was last heard of the others. Where they could have used up
the rest meanwhile, or this worker holds more than a hundredth of the limit that they have not heard of, it waits
for one exchange, which many requests share. Without the others, because what they meet in does not answer, each
worker takes its share of what was left.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from moosproxy.proxy.limits.book import Book, Change
from moosproxy.proxy.limits.periods import MINUTE_S, Kind, Period, period
from moosproxy.proxy.log import LOG

EXCHANGE_S = 0.1
STALE_S = 0.2
"""After that what was heard of the others is asked for anew."""
_UNTOLD = 0.01
"""Share of a limit that a worker may let through before the others hear of it: by so much they may go past it."""
_NEAR = 0.9
"""Share of a limit from which on it is asked for after a hundredth of a second."""
_NEAR_STALE_S = 0.01
_RETRY_S = 1.0
_PATIENCE_S = 0.3
"""What a request waits for an exchange; only the first one does where nobody answers."""
_PARTS = 3
"""It waits in so many parts: of a loop that stands still one is lost, and not all."""
_HELD = 20_000


class Counter:
    """An amount in one period. own: counted here. heard: what the others had when they knew `sent` of ours."""

    __slots__ = ("asked_at", "ends", "heard", "name", "own", "sent", "starts")

    def __init__(self, name: str, span: Period) -> None:
        self.name = name
        self.starts, self.ends = span.starts, span.ends
        self.own = self.sent = self.heard = 0
        self.asked_at = -math.inf

    def stale(self, now: float, after_s: float = STALE_S) -> bool:
        """Whether the others may have used more than was heard. A clock that went back makes it so, too."""
        return not 0 <= now - self.asked_at < after_s

    @property
    def total(self) -> int:
        """As far as it is known here."""
        return self.heard + self.own


class Tally:
    """All counters of one process."""

    def __init__(self, book: Book, workers: int = 1) -> None:
        """workers: of this proxy, for a worker's share while they cannot meet."""
        self._book = book
        self._workers = workers
        self._others = 2 * max(workers, 2) - 1
        self._counters: dict[str, Counter] = {}
        self._most = _HELD
        self._life: str | None = None
        self._changed: set[Counter] = set()
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None
        self.alone: str | None = None
        """Why this worker counts alone, None while it does not."""
        self.on_alone: Callable[[], None] | None = None
        """Told at the beginning of each time alone."""

    @property
    def where(self) -> str:
        """What the workers meet in."""
        return self._book.where

    def counter(self, holder: str, unit: str, kind: Kind, now: float) -> Counter:
        """The counter of the period that `now` (seconds since 1970) lies in."""
        span = period(kind, now)
        name = f"{holder}:{unit}:{span.name}"
        found = self._counters.get(name)
        if found is None:
            if len(self._counters) >= self._most:
                self._forget(now)
            found = self._counters[name] = Counter(name, span)
        return found

    def add(self, counter: Counter, amount: int) -> int:
        """Counts, and gives the own amount after it: the place in the queue of this worker's requests."""
        counter.own += amount
        self.touch(counter)
        return counter.own

    def touch(self, counter: Counter) -> None:
        """The counter goes to the next exchange even where nothing was added, to hear of the others."""
        self._changed.add(counter)
        if self._beat is None:
            self._beat = asyncio.get_running_loop().create_task(self._exchanges())

    def used(self, counter: Counter, place: int) -> int:
        """What was used up to a place among our own."""
        if self.alone is None:
            return counter.heard + place
        return counter.heard + counter.sent + (place - counter.sent) * self._workers

    def sure(self, counter: Counter, place: int, limit: float, now: float) -> bool | None:
        """Whether the place is within the limit; None where the others must be asked first."""
        if self.alone is not None:
            return self.used(counter, place) <= limit
        if not 0 <= now - counter.asked_at < STALE_S:
            return None
        used = counter.heard + place
        if used > limit:
            return False
        untold = place - counter.sent
        if untold > _UNTOLD * limit or used + untold * self._others > limit:  # they may have done as much, too
            return None
        return None if used > _NEAR * limit and counter.stale(now, _NEAR_STALE_S) else True

    def correct(self, counter: Counter, amount: int, limit: float, now: float) -> None:
        """Counts what nobody waits for; near the limit the others hear of it at once."""
        place = self.add(counter, amount)
        if amount and self.alone is None and self.sure(counter, place, limit, now) is None:
            self._soon()

    def take_back(self, counter: Counter, amount: int) -> None:
        """What was counted and is not used. Where the others may have heard of it, they hear of this at once: they
        would refuse what fits."""
        self.add(counter, -amount)
        if counter.sent > counter.own and self.alone is None:
            self._soon()

    async def ask(self) -> None:
        """One exchange that begins after this call, or as long as a request waits for it."""
        if self.alone is not None:
            return
        exchange = self._soon()
        for _ in range(_PARTS):
            done, _ = await asyncio.wait({exchange}, timeout=_PATIENCE_S / _PARTS)
            if done:
                return
        self._left_alone("it does not answer in time")

    async def aclose(self) -> None:
        """A last exchange, then the end."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.wait({self._beat})
        if self._changed or self._next is not None or self._current is not None:
            await asyncio.wait({self._soon()})
        await self._book.aclose()

    async def _exchanges(self) -> None:
        """While anything changes; a process that serves nobody is not woken."""
        try:
            while self._changed:
                await asyncio.sleep(EXCHANGE_S if self.alone is None else _RETRY_S)
                await asyncio.wait({self._soon()})
        finally:
            self._beat = None

    def _soon(self) -> asyncio.Task[None]:
        """The exchange that begins when the one under way has ended."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._after(self._current))
        return self._next

    async def _after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        self._current, self._next = self._next, None
        await self._exchange()

    async def _exchange(self) -> None:
        """Never raises: what could not be sent goes with the next one."""
        batch = [(counter, counter.own) for counter in self._changed]
        self._changed.clear()
        if not batch:
            return
        changes = [Change(each.name, own - each.sent, int(each.ends) + 2 * MINUTE_S) for each, own in batch]
        try:
            life, totals = await self._book.add(changes)
        except Exception as fault:
            self._changed.update(counter for counter, _ in batch)
            self._left_alone(str(fault) if isinstance(fault, RuntimeError) else type(fault).__name__)
            return
        forgotten, now = self._life not in (None, life), time.time()
        self._life = life
        for (counter, own), change, total in zip(batch, changes, totals, strict=True):
            counter.sent = change.amount if forgotten else own
            counter.heard, counter.asked_at = total - counter.sent, now
        if forgotten:
            self._tell_anew({counter for counter, _ in batch})
        if self.alone is not None:
            self.alone = None
            LOG.warning("limits are shared again", extra={"fields": {"where": self.where}})

    def _tell_anew(self, told: set[Counter]) -> None:
        """The book has lost what stood in it: each worker hands in again what it has counted itself."""
        now = time.time()
        for counter in [each for each in self._counters.values() if each.ends + MINUTE_S > now]:
            if counter not in told:
                counter.sent = counter.heard = 0
            self.touch(counter)

    def _left_alone(self, reason: str) -> None:
        if self.alone is None:
            self.alone = reason
            told = {"where": self.where, "reason": reason, "workers": self._workers}
            LOG.warning("limits are not shared: each worker takes its share of them", extra={"fields": told})
            if self.on_alone is not None:
                self.on_alone()

    def _forget(self, now: float) -> None:
        """Counters whose time is over, and of which nothing is left to tell."""
        kept = self._counters.items()
        self._counters = {name: each for name, each in kept if each.ends + MINUTE_S > now or each in self._changed}
        self._most = max(_HELD, 2 * len(self._counters))
