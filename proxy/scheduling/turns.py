"""One at a time, in a fair order, with a bound on who may wait: for a model that can serve one request at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from moosproxy.proxy.scheduling.fair_queue import FairQueue

_FIRST_GUESS_S = 5.0
_NEWEST = 0.2
_LONGEST_WAIT_S = 600


class QueueFull(Exception):
    """Nobody else may wait. retry_after_s: when there should be room again."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(f"{waiting} requests are waiting already")
        self.waiting = waiting
        self.retry_after_s = retry_after_s


class Turns:
    """Belongs to one event loop. Teams get their turn in rotation; who gives up waiting is passed over."""

    def __init__(self, max_waiting: int) -> None:
        """max_waiting: a team with a name may take four fifths of it, and so leaves room for the others."""
        self._max_waiting = max_waiting
        self._queue: FairQueue[asyncio.Future[None], None] = FairQueue()
        self._waiting: Counter[str | None] = Counter()
        self._taken = False
        self._began = 0.0
        self._mean_s = _FIRST_GUESS_S
        self._mean_square = _FIRST_GUESS_S**2

    @property
    def busy(self) -> bool:
        """Whether somebody has the turn."""
        return self._taken

    @asynccontextmanager
    async def turn(self, team: str | None) -> AsyncIterator[None]:
        """Holds the turn for the block. Raises QueueFull at once where nobody else may wait."""
        await self._take(team)
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        try:
            yield
        finally:
            took = loop.time() - self._began
            self._mean_s += _NEWEST * (took - self._mean_s)
            self._mean_square += _NEWEST * (took**2 - self._mean_square)
            self._pass_on()

    async def _take(self, team: str | None) -> None:
        if not self._taken:
            self._taken = True
            return
        waiting = self._waiting.total()
        share = self._max_waiting if team is None else max(1, self._max_waiting * 4 // 5)
        if waiting >= self._max_waiting or self._waiting[team] >= share:
            raise QueueFull(waiting, self._retry_after_s())
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(team, mine, [None])
        self._waiting[team] += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # the turn came in the same moment as the end
            raise
        finally:
            self._waiting[team] -= 1
            if not self._waiting[team]:
                del self._waiting[team]

    def _pass_on(self) -> None:
        while entry := self._queue.pop():
            if not entry[0].done():
                entry[0].set_result(None)
                return
        self._taken = False

    def _retry_after_s(self) -> int:
        """Until the turn that runs has ended, for that makes room.

        Whoever comes finds a turn as often as it is long: many that were short or given up say little about it.
        And one that has run for long is likely to run for as long again.
        """
        usual = self._mean_square / self._mean_s if self._mean_s else 0.0
        so_far = asyncio.get_running_loop().time() - self._began
        return max(1, min(_LONGEST_WAIT_S, round(max(usual, so_far))))
