"""Takes what was noted about finished requests and writes it in batches, off their path.

A request puts one small object into a queue. No fault of the database reaches it: rows wait in the queue while it
cannot be written, and what the queue does not hold is lost, and counted.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from moosproxy.proxy.ledger.databases.database import Database, LedgerError, RowError
from moosproxy.proxy.ledger.databases.schema import prepare
from moosproxy.proxy.ledger.entry import PriceOf
from moosproxy.proxy.ledger.store import Retention, Store
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.record import Record

EVERY_S = 1.0
QUEUED = 20_000
"""Requests that may wait to be written."""
QUEUED_BYTES = 64 * 1024 * 1024
"""Of memory, about, that they may take together."""
_ROW_BYTES, _PART_BYTES, _OPENING_BYTES = 2500, 450, 150
BATCH = 2000
_AGAIN_S = (1.0, 30.0)
_CLEAN_S = 3600.0
_LAST_S = 5.0
"""So long the end of a process may take for the rows that still wait."""
_JUMP_S = 60.0
"""By so much the clock of the machine may move beside the one that only goes forward."""
_TRUSTED_S = 24 * 3600.0
_EARLIEST = 1_577_836_800
"""Unix seconds of 2020: an earlier clock has not been set."""


@dataclass(slots=True)
class Noted:
    """A finished request. at_ms: Unix milliseconds. clock_jumped: the machine's clock has been set lately."""

    record: Record
    at_ms: int
    total_s: float
    clock_jumped: bool

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        parts, openings = len(self.record.parts), len(self.record.openings)
        return _ROW_BYTES + _PART_BYTES * parts + _OPENING_BYTES * openings


class Clock:
    """The machine's time, and whether somebody has set it."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._steady = wall, steady
        self._ahead = wall() - steady()
        self._set_at: float | None = None

    def now_ms(self) -> tuple[int, bool]:
        """Unix milliseconds, never before 2020, and whether the clock jumped since the last call."""
        now = self._wall()
        ahead = now - self._steady()
        jumped = abs(ahead - self._ahead) > _JUMP_S
        self._ahead = ahead
        if jumped:
            self._set_at = self._steady()
        return int(max(now, _EARLIEST) * 1000), jumped or now < _EARLIEST

    def trusted(self) -> bool:
        """Whether nobody set the clock for a day: by a wrong one everything may look old."""
        return self._set_at is None or self._steady() - self._set_at > _TRUSTED_S


class Writer:
    """Belongs to one event loop. on_lost: told how many rows were lost."""

    def __init__(
        self,
        database: Database,
        price_of: PriceOf,
        retention: Retention,
        on_lost: Callable[[int], None] = lambda _: None,
        *,
        queued: int = QUEUED,
        clock: Clock | None = None,
    ) -> None:
        self.database = database
        self.fault: LedgerError | None = None
        self.lost = 0
        self.refused = 0
        """Of the lost rows those that the database did not take."""
        self._store = Store(price_of, retention)
        self._on_lost = on_lost
        self._queue: deque[Noted] = deque()
        self._queued = queued
        self._bytes = 0
        self._clock = clock or Clock()
        self._opened = False
        self._clean_at = 0.0
        self._alone = asyncio.Lock()

    def note(self, record: Record) -> None:
        """A request is over. Called on its path: never waits, never raises."""
        if len(self._queue) >= self._queued or self._bytes >= QUEUED_BYTES:
            self._lose(1)
            return
        at_ms, jumped = self._clock.now_ms()
        noted = Noted(record, at_ms, time.perf_counter() - record.started, jumped)
        self._queue.append(noted)
        self._bytes += noted.size

    def _lose(self, rows: int) -> None:
        self.lost += rows
        self._on_lost(rows)

    async def open(self) -> None:
        """Connects and looks at the tables; a fault is kept in `fault`, and tried again while running."""
        try:
            await self.database.open()
            await prepare(self.database)
        except LedgerError as fault:
            await self.database.close()
            self._failed(fault)
            return
        self._opened = True
        self.fault = None

    async def run(self) -> None:
        """Writes every second, for ever. After a fault it waits longer and longer."""
        wait = EVERY_S
        while True:
            await asyncio.sleep(wait)
            if not self._queue and self.fault is None and time.monotonic() < self._clean_at:
                continue
            await self.flush()
            wait = EVERY_S if self.fault is None else min(max(wait * 2, _AGAIN_S[0]), _AGAIN_S[1])

    async def flush(self) -> None:
        """Writes what waits, as far as that is possible now. Cancelled, it ends the batch that it is at."""
        async with self._alone:
            try:
                await self._flush()
            except LedgerError as fault:
                await self._stumbled(fault)
            except Exception as fault:  # whatever it is, the rows to come are to be written
                LOG.exception("unexpected fault of the ledger")
                text = f"the ledger stumbled ({type(fault).__name__}): the log says where"
                await self._stumbled(LedgerError(text))

    async def _flush(self) -> None:
        if not self._opened:
            await self.open()
        while self._opened and self._queue:
            await _to_its_end(self._write(list(islice(self._queue, BATCH))))
            self._recovered()
        if self._opened and time.monotonic() >= self._clean_at:
            await self._clean()

    async def _write(self, batch: Sequence[Noted]) -> None:
        """Writes the first rows that wait, and takes them from the queue. Raises LedgerError if none can be.

        A batch with a row in it that never can be is written in halves, until that row is alone.
        """
        try:
            await self._store.write(self.database, batch)
        except Exception as fault:
            if isinstance(fault, LedgerError) and not isinstance(fault, RowError):
                raise
            self._store.forget()
            if len(batch) > 1:
                half = len(batch) // 2
                await self._write(batch[:half])
                await self._write(batch[half:])
                return
            self._refuse(fault)
        for _ in batch:
            self._bytes -= self._queue.popleft().size

    def _refuse(self, fault: Exception) -> None:
        self.refused += 1
        self._lose(1)
        reason = str(fault) if isinstance(fault, RowError) else type(fault).__name__
        LOG.warning("ledger row lost", extra={"fields": {"reason": reason}})

    async def _clean(self) -> None:
        self._clean_at = time.monotonic() + _CLEAN_S
        now_ms, _ = self._clock.now_ms()
        if not self._clock.trusted():
            return
        await self._store.clean(self.database, now_ms)
        self._recovered()

    async def _stumbled(self, fault: LedgerError) -> None:
        """The file may have been taken away, the server restarted: next time it is opened anew."""
        self._opened = False
        self._store.forget()
        await self.database.close()
        self._failed(fault)

    def _failed(self, fault: LedgerError) -> None:
        if self.fault is None or str(self.fault) != str(fault):
            LOG.warning("ledger not written", extra={"fields": {"reason": str(fault)}})
        self.fault = fault

    def _recovered(self) -> None:
        if self.fault is not None:
            LOG.info("ledger written again", extra={"fields": {"waiting": len(self._queue)}})
        self.fault = None

    async def aclose(self) -> None:
        """Writes what waits, for some seconds; the rest is lost. A `run` must have been cancelled."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S):
                await self.flush()
        if self._queue:
            self._lose(len(self._queue))
            LOG.warning("ledger rows lost", extra={"fields": {"rows": len(self._queue)}})
            self._queue.clear()
        await self.database.close()


async def _to_its_end(work: Awaitable[None]) -> None:
    """Cancelled, it waits some seconds for the work: what is committed must leave the queue, or it comes twice."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_LAST_S)
        task.cancel()
        raise
