"""A few threads that serve a fair queue in batches. The queue lives on the event loop; only the work leaves it.

The items of a caller that stopped waiting are passed over: a request that gave up leaves no work behind. Those of
a caller that cannot be served in time make way for everyone else's, or are given up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from moosproxy.proxy.scheduling.fair_queue import FairQueue

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Contra = TypeVar("Contra", contravariant=True)


class LaneClosed(RuntimeError):
    """The lane was closed while the item waited."""


class DeadlineMissed(Exception):
    """The compression was not done in time, or cannot be."""


class Errand(Protocol[Contra]):
    """What a lane asks and tells about a caller's items."""

    def late(self) -> bool:
        """Whether the caller cannot be served in time any more."""

    def goes_on(self) -> bool:
        """Whether its items are wanted although it is late, once nobody else waits."""

    def served(self, item: Contra) -> None:
        """One of its items is done."""


class _Job(Generic[Item, Outcome]):
    """The items of one caller. One future for all of them: there may be thousands."""

    def __init__(self, items: Sequence[Item], errand: Errand[Item] | None) -> None:
        self.items = items
        self.errand = errand
        self.outcomes: dict[int, Outcome] = {}
        self.done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def take(self, index: int, outcome: Outcome | Exception) -> None:
        """Note one outcome; the last one, or the first exception, ends the wait."""
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
            return
        if self.errand:
            self.errand.served(self.items[index])
        self.outcomes[index] = outcome
        if len(self.outcomes) == len(self.items):
            self.done.set_result([self.outcomes[number] for number in range(len(self.items))])


class Lane(Generic[Item, Outcome]):
    """Runs work(items) -> one outcome per item, at most `batch` items at once, in at most `threads` threads."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item]], Sequence[Outcome]],
        *,
        batch: int,
        threads: int,
        observe: Callable[[Sequence[Item], float], None] | None = None,
    ) -> None:
        """The threads start with the first item; they are no daemons and end in aclose.

        observe: told, on the event loop, which items took how many seconds of the lane's time; what batches side
        by side share of it is counted once.
        """
        self._work = work
        self._batch = batch
        self._threads = self._free = threads
        self._counted = 0.0
        self._observe = observe
        self._queue: FairQueue[_Job[Item, Outcome], int] = FairQueue()
        self._spare: FairQueue[_Job[Item, Outcome], int] = FairQueue()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(
        self, team: Hashable, items: Sequence[Item], errand: Errand[Item] | None = None
    ) -> list[Outcome]:
        """Queue the items and wait for their outcomes. Raises what the work raised for one of them, LaneClosed
        after aclose, DeadlineMissed for an errand that is late and does not go on."""
        if self._closed:
            raise LaneClosed
        if not items:
            return []
        job: _Job[Item, Outcome] = _Job(items, errand)
        self._queue.push(team, job, range(len(items)))
        self._pump()
        return await job.done

    async def aclose(self) -> None:
        """Fail what waits, let running batches end, join the threads."""
        self._closed = True
        for queue in (self._queue, self._spare):
            while entry := queue.pop():
                entry[0].take(entry[1], LaneClosed())
        if self._running:
            await asyncio.wait(self._running)
        self._pool.shutdown()

    def _pump(self) -> None:
        while self._free and (batch := self._take()):
            if self._free == self._threads:
                self._counted = time.perf_counter()
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._serve(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[tuple[_Job[Item, Outcome], int]]:
        """The next batch: of those in time, and only where there are none of those that are late."""
        batch: list[tuple[_Job[Item, Outcome], int]] = []
        while len(batch) < self._batch and (entry := self._queue.pop()):
            if self._wanted(*entry):
                batch.append(entry)
        while not batch and (entry := self._spare.pop()):
            if not entry[0].done.done():
                batch.append(entry)
        return batch

    def _wanted(self, job: _Job[Item, Outcome], index: int) -> bool:
        """Whether an item is to be done now; one that is late waits among the spare ones, or ends its job."""
        if job.done.done():  # its caller has left, or one of its items has failed
            return False
        if job.errand is None or not job.errand.late():
            return True
        if job.errand.goes_on():
            self._spare.push(None, job, [index])
        else:
            job.take(index, DeadlineMissed())
        return False

    async def _serve(self, batch: list[tuple[_Job[Item, Outcome], int]]) -> None:
        items = [(job, job.items[index]) for job, index in batch]
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(self._pool, self._attempt, items)
        finally:
            self._free += 1
        now = time.perf_counter()
        if self._observe:
            self._observe([item for _, item in items], now - self._counted)
        self._counted = now
        for (job, index), outcome in zip(batch, outcomes, strict=True):
            job.take(index, outcome)
        self._pump()

    def _attempt(self, batch: list[tuple[_Job[Item, Outcome], Item]]) -> list[Outcome | Exception]:
        """In a thread. If a mixed batch fails, each job's items are tried alone: only the culprit fails."""
        try:
            outcomes = list(self._work([item for _, item in batch]))
            if len(outcomes) != len(batch):
                raise ValueError(f"{len(batch)} items went in, {len(outcomes)} outcomes came out")
        except BaseException as fault:  # a panic in native code is no Exception; it must not end the thread
            error = fault if isinstance(fault, Exception) else RuntimeError(type(fault).__name__)
            by_job = [list(entries) for _, entries in groupby(batch, key=lambda entry: entry[0])]
            if len(by_job) == 1:
                return [error] * len(batch)
            return [outcome for entries in by_job for outcome in self._attempt(entries)]
        return list(outcomes)
