"""The embedded ledger: one SQLite file that all workers of a machine write, over aiosqlite's threads."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiosqlite

from moosproxy.proxy.ledger.databases.database import LedgerError, RowError, Values

_PATIENCE_S = 2.0
"""How long a statement waits for another worker's lock, in a thread."""
_SIZES = (256, 64, 16, 4, 1)
"""Rows of one statement: few sizes, so that statements are prepared once; 32,766 values are SQLite's bound."""
_LOG_BYTES = 4 * 1024 * 1024
_REASONS = {
    sqlite3.SQLITE_BUSY: "is locked by another program: end it, or wait",
    sqlite3.SQLITE_LOCKED: "is locked by another program: end it, or wait",
    sqlite3.SQLITE_FULL: "cannot grow, its disk is full: free some space, or name another place with MOOS_LEDGER",
    sqlite3.SQLITE_IOERR: "cannot be written (a full disk, a quota, or a fault of it): free some space, or name "
    "another place with MOOS_LEDGER",
    sqlite3.SQLITE_READONLY: "is read-only: make file and folder writable, or name another place with MOOS_LEDGER",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: make its folder writable, or name another place with MOOS_LEDGER",
    sqlite3.SQLITE_CORRUPT: "is damaged: move it away, a new one is made",
    sqlite3.SQLITE_NOTADB: "is no ledger: move it away, or name another place with MOOS_LEDGER",
}

_REFUSED = (OverflowError, UnicodeError, sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError)
"""Of a value, not of the file: a number beyond 64 bits is an OverflowError."""


class Sqlite:
    """Belongs to one event loop. Writes and reads have a connection each: neither waits for the other."""

    identity = "INTEGER PRIMARY KEY"

    def __init__(self, path: Path) -> None:
        """path: of the file, made with its folder where it is missing; on a local disk."""
        self.path = path
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._alone = asyncio.Lock()
        self._id = 0, 0

    async def open(self, *, create: bool = True) -> None:
        """As in Database."""
        with self._told():
            if create:
                await asyncio.to_thread(self._make)
            elif not await asyncio.to_thread(self.path.is_file):
                raise LedgerError(f"there is no ledger at {self.path} yet: a running proxy makes one")
            self._writer = await self._connected()
            self._reader = await self._connected()
            if create:
                await self._use_log(self._writer)
            self._id = await asyncio.to_thread(self._seen)

    def _seen(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_dev, found.st_ino

    async def _check(self) -> None:
        """SQLite itself would go on in a file that was removed."""
        try:
            same = await asyncio.to_thread(self._seen) == self._id
        except FileNotFoundError:
            same = False
        if not same:
            raise LedgerError(f"the ledger {self.path} was removed: another one is made")

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    async def _connected(self) -> aiosqlite.Connection:
        return await aiosqlite.connect(self.path, timeout=_PATIENCE_S, isolation_level=None)

    @staticmethod
    async def _use_log(db: aiosqlite.Connection) -> None:
        # A crash of the machine may take the last second with it, a killed process takes nothing that was written.
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", f"journal_size_limit = {_LOG_BYTES}"):
            async with db.execute(f"PRAGMA {pragma}") as cursor:
                await cursor.fetchall()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[_Session]:
        """As in Database."""
        async with self._alone:
            with self._told():
                db = self._open(self._writer)
                await self._check()
                await db.execute("BEGIN IMMEDIATE")
                try:
                    yield _Session(db)
                    await db.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # some faults have rolled back already
                        await db.execute("ROLLBACK")
                    raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[_Session]:
        """As in Database."""
        with self._told():
            yield _Session(self._open(self._reader))

    def _open(self, db: aiosqlite.Connection | None) -> aiosqlite.Connection:
        if db is None:
            raise LedgerError(f"the ledger {self.path} is not open")
        return db

    async def close(self) -> None:
        """As in Database."""
        for db in (self._reader, self._writer):
            if db is not None:
                with suppress(sqlite3.Error):
                    await db.close()
        self._reader = self._writer = None

    def _told(self) -> _Told:
        return _Told(self.path)


class _Told:
    """Turns faults of SQLite into words with the fix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, _REFUSED):
            raise RowError(f"the ledger {self._path} refuses a value ({type(fault).__name__})") from None
        if isinstance(fault, sqlite3.Error):
            code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
            reason = _REASONS.get(code, f"does not do what it should ({fault})")
            raise LedgerError(f"the ledger {self._path} {reason}") from None
        if isinstance(fault, OSError):
            reason = "make its folder writable, or name another place with MOOS_LEDGER"
            raise LedgerError(f"the ledger {self._path} cannot be made ({fault.strerror}): {reason}") from None


class _Session:
    """Statements over one connection."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db

    async def many(self, sql: str, rows: Iterable[Values]) -> None:
        # Rows together in few statements: between two of them the thread would ask for the interpreter's lock.
        left = list(rows)
        while left:
            size = next(size for size in _SIZES if size <= len(left))
            some, left = left[:size], left[size:]
            await self._db.execute(_of_many(sql, size), [value for row in some for value in row])

    async def fetch(self, sql: str, values: Values = ()) -> list[Any]:
        return list(await self._db.execute_fetchall(sql, values))


@lru_cache(maxsize=64)
def _of_many(sql: str, size: int) -> str:
    """The same INSERT for so many rows."""
    head, word, rest = sql.partition("VALUES ")
    end = rest.index(")") + 1
    return f"{head}{word}{', '.join([rest[:end]] * size)}{rest[end:]}"
