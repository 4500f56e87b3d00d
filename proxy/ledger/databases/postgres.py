"""The ledger of several machines, in a PostgreSQL server that all of them reach. Extra `postgres`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from moosproxy.proxy.ledger.databases.database import LedgerError, RowError, Values

_PATIENCE_S = 5.0
_LOCK = 7_305_806
"""Of our own among the server's advisory locks: only one process makes or changes tables."""


class Postgres:
    """Belongs to one event loop. Three connections at most: one writes, the others read."""

    identity = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

    def __init__(self, url: str) -> None:
        """url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, as libpq takes it. Never shown."""
        self._url = url
        self._pool: asyncpg.Pool | None = None
        self._alone = asyncio.Lock()

    async def open(self, *, create: bool = True) -> None:
        """As in Database."""
        with self._told():
            self._pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=3, timeout=_PATIENCE_S, command_timeout=30.0
            )

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[_Session]:
        """As in Database."""
        async with self._alone:
            with self._told():
                async with self._open().acquire(timeout=_PATIENCE_S) as db, db.transaction():
                    # Sums of one group are written by one process after the other, so nobody deadlocks.
                    await db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
                    yield _Session(db)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[_Session]:
        """As in Database."""
        with self._told():
            async with (
                self._open().acquire(timeout=_PATIENCE_S) as db,
                db.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield _Session(db)

    def _open(self) -> asyncpg.Pool:
        if self._pool is None:
            raise LedgerError(f"the ledger at {self._place()} is not open")
        return self._pool

    def _place(self) -> str:
        url = urlsplit(self._url)
        return f"{url.hostname or 'localhost'}{url.path}"

    async def close(self) -> None:
        """As in Database."""
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(Exception):
                async with asyncio.timeout(_PATIENCE_S):
                    await pool.close()

    def _told(self) -> _Told:
        return _Told(self._place())


class _Told:
    """Turns faults of the server into words with the fix; the password is in none of them."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
            raise LedgerError(
                f"the ledger at {self._place} refuses user or password: correct MOOS_LEDGER"
            ) from None
        if isinstance(fault, asyncpg.InvalidCatalogNameError):
            raise LedgerError(
                f"there is no database for the ledger at {self._place}: make it, with createdb"
            ) from None
        if isinstance(fault, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError | UnicodeError):
            raise RowError(f"the ledger at {self._place} refuses a value ({type(fault).__name__})") from None
        if isinstance(fault, asyncpg.UndefinedTableError):
            raise LedgerError("the database has no tables of a ledger: a running proxy makes them") from None
        if isinstance(fault, asyncpg.InsufficientPrivilegeError):
            reason = "lacks rights: let MOOS_LEDGER's user make and write tables"
            raise LedgerError(f"the ledger at {self._place} {reason}") from None
        if isinstance(fault, asyncpg.PostgresError | asyncpg.InterfaceError | OSError | TimeoutError):
            reason = f"cannot be used ({type(fault).__name__}): see whether the server runs, and MOOS_LEDGER"
            raise LedgerError(f"the ledger at {self._place} {reason}") from None


class _Session:
    """Statements over one connection."""

    def __init__(self, db: Any) -> None:
        self._db = db

    async def many(self, sql: str, rows: Iterable[Values]) -> None:
        await self._db.executemany(_numbered(sql), rows)

    async def fetch(self, sql: str, values: Values = ()) -> list[Any]:
        return [tuple(row) for row in await self._db.fetch(_numbered(sql), *values)]


@lru_cache(maxsize=512)
def _numbered(sql: str) -> str:
    """With `$1`, `$2` ... for the values, as PostgreSQL wants them."""
    first, *rest = sql.split("?")
    return first + "".join(f"${number}{text}" for number, text in enumerate(rest, 1))
