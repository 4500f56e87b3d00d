"""The shared layer in a file, for the workers of one machine that have no Redis.

A look-up of a few names runs on the event loop, in some ten microseconds. Whatever may wait for a lock or takes
longer runs in one thread; what is late there still lands.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.cache_file import CacheFile, remove
from moosproxy.proxy.cache.shared import BACKGROUND_S, SharedCache, done_within

FILE_NAME = "cache.sqlite"
FEW_NAMES = 32
"""From here on a look-up is work for the thread."""
WRITE_S = 0.25
"""How long a write waits at least: a missed look-up is made good by the write, a missed write by nothing, and
on a busy machine the one who holds the lock may not run for a while."""

_KINDS = {
    sqlite3.SQLITE_BUSY: "slow",
    sqlite3.SQLITE_LOCKED: "slow",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
_SAID = {"slow": "is locked or too slow", "down": "cannot be opened or read", "damaged": "is damaged"}

T = TypeVar("T")


class FileCache(SharedCache):
    """Bytes by name in a file of a folder on a local disk. Nothing here raises."""

    layer = "file"

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 256 * 1024 * 1024,
        timeout_ms: float = 10.0,
        breaker: Breaker | None = None,
    ) -> None:
        """folder: made by somebody else, since a lost one must not come back with looser rights. max_bytes: the
        bound of the file. timeout_ms: the longest that a look-up waits."""
        super().__init__(timeout_ms, breaker)
        self._path = folder / FILE_NAME
        self._max_bytes = max_bytes
        self._thread = ThreadPoolExecutor(1, "moos-cache-file")
        self._file: CacheFile | None = None
        self._spent: list[tuple[CacheFile, bool]] = []
        self._full = False
        self._last_fault = "down"

    @property
    def degraded(self) -> str | None:
        """Why the file is out of use, or can only be read, just now; None while it works."""
        if not self._breaker.closed:
            return f"{self._path} {_SAID[self._last_fault]}"
        return f"{self._path} takes nothing new: the disk is full or read-only" if self._full else None

    async def connect(self) -> bool:
        """Open the file and look at it."""
        return await self._run(CacheFile.check, BACKGROUND_S) is not None

    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """One query: here if the names are few, else in the thread."""
        if not self._in_use():
            return [None] * len(names)
        file = self._file
        if file is not None and len(names) < FEW_NAMES:
            try:
                return file.read(names)
            except (sqlite3.Error, OSError) as fault:
                if _kind(fault) != "slow":
                    self._stumble(fault, file)
        # Many names, or the file is to be opened, or locked for a moment, which the loop must not wait for.
        done = await self._run(lambda file: file.read_patiently(names), self._timeout_s)
        return done[0] if done else [None] * len(names)

    async def put_first(self, name: bytes, value: bytes, ttl_s: int) -> bytes | None:
        """One transaction, so of all processes one is the first."""
        return await self._write(lambda file: file.put_first(name, value, ttl_s))

    async def replace(self, name: bytes, value: bytes, ttl_s: int) -> None:
        """One transaction."""
        await self._write(lambda file: file.replace(name, value, ttl_s))

    async def aclose(self) -> None:
        """Let writes under way land, then close the file."""
        await super().aclose()
        self._discard(self._file)
        await asyncio.to_thread(self._thread.shutdown)

    async def _write(self, work: Callable[[CacheFile], T]) -> T | None:
        done = await self._run(work, max(self._timeout_s, WRITE_S)) if self._in_use() else None
        if not done:
            return None
        self._full = False
        self._breaker.succeed()  # no look-up does that: they go well while a frozen process holds up every write
        return done[0]

    async def _run(self, work: Callable[[CacheFile], T], seconds: float, again: bool = True) -> tuple[T] | None:
        """What the thread made of it; None after a fault, which is counted. again: once more if the fault was that
        of a file that had been in use, and is now to be opened anew."""
        used: list[CacheFile] = []
        asked = time.monotonic()

        def job() -> T:
            if time.monotonic() > asked + BACKGROUND_S:
                raise TimeoutError  # nobody waits for it, and what comes behind it would be late, too
            used.append(self._opened())
            return work(used[0])

        future = asyncio.get_running_loop().run_in_executor(self._thread, job)
        if not await done_within(future, seconds):
            self._last_fault = "slow"
            self._fail("slow")
            return None
        try:
            return (future.result(),)
        except (sqlite3.Error, OSError) as fault:
            self._stumble(fault, *used)
            anew = again and used and used[0] is not self._file
            return await self._run(work, seconds, again=False) if anew else None

    def _opened(self) -> CacheFile:
        """Runs in the thread."""
        if self._file is None:
            self._clear()
            try:
                self._file = CacheFile(self._path, self._max_bytes, BACKGROUND_S)
            except sqlite3.Error as fault:
                if _kind(fault) == "damaged":
                    remove(self._path)
                raise
        return self._file

    def _stumble(self, fault: Exception, file: CacheFile | None = None) -> None:
        """Count a fault, that of one file once. A full disk is no reason to stop reading; a locked file will be
        free; after any other fault the file is opened anew."""
        if file is not None and file is not self._file:
            return
        kind = _kind(fault)
        if kind == "full":
            self._full = True
            self.report(kind)
            return
        self._last_fault = kind
        self._fail(kind)
        if kind != "slow":
            self._discard(file, damaged=kind == "damaged")

    def _discard(self, file: CacheFile | None, damaged: bool = False) -> None:
        """Runs on the loop, the only place that reads without the thread, so nobody reads what is closed."""
        if file is not None:
            self._spent.append((file, damaged))
            self._file = None
            self._thread.submit(self._clear)

    def _clear(self) -> None:
        """Runs in the thread, before anything is opened anew: a damaged file must be gone by then."""
        while self._spent:
            file, damaged = self._spent.pop()
            file.close(damaged=damaged)

    async def _works(self) -> bool:
        """The first look may have to open the file, the second must be as fast as a request needs it."""
        return await self.connect() and await self._run(CacheFile.check, self._timeout_s) is not None


def _kind(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "slow"  # it waited too long behind others: the file has nothing to do with it
    code = getattr(fault, "sqlite_errorcode", 0)
    return "down" if code == sqlite3.SQLITE_READONLY_DBMOVED else _KINDS.get(code & 0xFF, "down")
