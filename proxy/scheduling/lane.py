"""A few threads that serve a fair queue in batches. The queue lives on the event loop; only the work leaves it.

The items of a caller that stopped waiting are passed over: a request that gave up leaves no work behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Generic, TypeVar

from moosproxy.proxy.scheduling.fair_queue import FairQueue

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class LaneClosed(RuntimeError):
    """The lane was closed while the item waited."""


class _Job(Generic[Item, Outcome]):
    """The items of one caller. One future for all of them: there may be thousands."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.outcomes: dict[int, Outcome] = {}
        self.done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()

    def take(self, index: int, outcome: Outcome | Exception) -> None:
        """Note one outcome; the last one, or the first exception, ends the wait."""
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
            return
        self.outcomes[index] = outcome
        if len(self.outcomes) == len(self.items):
            self.done.set_result([self.outcomes[number] for number in range(len(self.items))])


class Lane(Generic[Item, Outcome]):
    """Runs work(items) -> one outcome per item, at most `batch` items at once, in at most `threads` threads."""

    def __init__(
        self, name: str, work: Callable[[list[Item]], Sequence[Outcome]], *, batch: int, threads: int
    ) -> None:
        """The threads start with the first item; they are no daemons and end in aclose."""
        self._work = work
        self._batch = batch
        self._free = threads
        self._queue: FairQueue[_Job[Item, Outcome], int] = FairQueue()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, team: Hashable, items: Sequence[Item]) -> list[Outcome]:
        """Queue the items and wait for their outcomes. Raises what the work raised for one of them."""
        if self._closed:
            raise LaneClosed
        if not items:
            return []
        job: _Job[Item, Outcome] = _Job(items)
        self._queue.push(team, job, range(len(items)))
        self._pump()
        return await job.done

    async def aclose(self) -> None:
        """Fail what waits, let running batches end, join the threads."""
        self._closed = True
        while entry := self._queue.pop():
            entry[0].take(entry[1], LaneClosed())
        if self._running:
            await asyncio.wait(self._running)
        self._pool.shutdown()

    def _pump(self) -> None:
        while self._free and (batch := self._take()):
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._serve(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> list[tuple[_Job[Item, Outcome], int]]:
        batch: list[tuple[_Job[Item, Outcome], int]] = []
        while len(batch) < self._batch and (entry := self._queue.pop()):
            if not entry[0].done.done():  # else its caller has left, or one of its items has failed
                batch.append(entry)
        return batch

    async def _serve(self, batch: list[tuple[_Job[Item, Outcome], int]]) -> None:
        items = [(job, job.items[index]) for job, index in batch]
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(self._pool, self._attempt, items)
        finally:
            self._free += 1
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
