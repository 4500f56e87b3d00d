"""The ledger as its readers know it: sums per hour, kinds of text, and the two sides of a control group."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from moosproxy.proxy.ledger.databases.database import Database, LedgerError
from moosproxy.proxy.ledger.databases.schema import check
from moosproxy.proxy.ledger.databases.sqlite import Sqlite
from moosproxy.proxy.ledger.hours import read_hours, read_kinds, read_refused
from moosproxy.proxy.ledger.rows import HourRow, KindRow
from moosproxy.proxy.ledger.sides import Sides, read_sides

FILE = "ledger.sqlite"
_OFF = frozenset({"off", "none"})
_SCHEME = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:")
"""Of a URL; one letter and a colon begin a path."""


class Ledger:
    """Reads. What a proxy writes is there about a second after a request. Everything raises LedgerError."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def open(self) -> None:
        """For who only reads; the database of a running proxy's writer is open already."""
        await self.database.open(create=False)
        await check(self.database)

    async def hours(self, since: datetime, until: datetime, team: str | None = None) -> Sequence[HourRow]:
        """What reached an upstream in the hours that begin in [since, until); since is taken down to its hour.

        team: None: all. Both times must know their zone."""
        async with self.database.reading() as session:
            return await read_hours(session, since, until, team)

    async def kinds(self, since: datetime, until: datetime, team: str | None = None) -> Sequence[KindRow]:
        """Tokens of the same hours by kind of text, the one with most first."""
        async with self.database.reading() as session:
            return await read_kinds(session, since, until, team)

    async def refused(self, since: datetime, until: datetime, team: str | None = None) -> int:
        """How many requests of the same hours failed before an upstream had them: they are in no group."""
        async with self.database.reading() as session:
            return await read_refused(session, since, until, team)

    async def sides(self, since: datetime, until: datetime, team: str | None = None) -> Sequence[Sides]:
        """For each policy with a control group how the two sides differ, from the rows that are still kept."""
        async with self.database.reading() as session:
            return await read_sides(session, since, until, team)

    async def close(self) -> None:
        """Never raises."""
        await self.database.close()


def database_of(place: str, folder: Path) -> Database | None:
    """What MOOS_LEDGER names: empty for a file in the folder, `off` for none, a path, or a URL of PostgreSQL.

    Raises LedgerError for any other URL, and where the library for it is not installed.
    """
    if place.strip().lower() in _OFF:
        return None
    if is_url(place):
        try:
            from moosproxy.proxy.ledger.databases.postgres import Postgres
        except ImportError:
            raise LedgerError(
                "MOOS_LEDGER names PostgreSQL, which needs an extra: pip install 'moosproxy[postgres]'",
                lasting=True,
            ) from None
        return Postgres(place)
    if _SCHEME.match(place):  # as a path it would be shown, the password with it
        raise LedgerError(
            "MOOS_LEDGER is a URL of a kind that there is no ledger for: name postgresql://..., a path, or `off`",
            lasting=True,
        )
    return Sqlite(Path(place).expanduser() if place else folder / FILE)


def is_url(place: str) -> bool:
    """Whether it is a server's address and no path."""
    return place.lower().startswith(("postgresql://", "postgres://"))
