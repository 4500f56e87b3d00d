"""Batches of rows into the tables, with their sums, and old ones out of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moosproxy.proxy.ledger.counterfactual import Seen
from moosproxy.proxy.ledger.databases.database import Database, Session
from moosproxy.proxy.ledger.databases.schema import COLUMNS
from moosproxy.proxy.ledger.entry import Made, PriceOf, made
from moosproxy.proxy.ledger.hours import Hours

if TYPE_CHECKING:
    from moosproxy.proxy.ledger.writer import Noted

DAY_MS = 24 * 3600 * 1000
OPENING_MS = 10 * 60 * 1000
"""Providers keep a prompt for five to ten minutes after it was last read."""
_NAMES = 500
"""Values of one query."""
_AT_ONCE = 50
"""Rows made before the event loop gets its turn."""
_CUT = 5000
"""Rows removed in one transaction."""
_INSERT = f"INSERT INTO requests ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_NOTHING = Seen()
_REMEMBER = (
    "INSERT INTO openings (opening, at) VALUES (?, ?) ON CONFLICT (opening) "
    "DO UPDATE SET at = CASE WHEN excluded.at > openings.at THEN excluded.at ELSE openings.at END"
)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that rows are kept, and sums per hour."""

    rows: int
    hours: int


class Store:
    """Writes for one process."""

    def __init__(self, price_of: PriceOf, retention: Retention) -> None:
        self._price_of = price_of
        self._retention = retention
        self._hours = Hours()

    def forget(self) -> None:
        """After a transaction that failed nothing is known of the tables."""
        self._hours = Hours()

    async def write(self, database: Database, batch: Sequence[Noted]) -> None:
        """All rows with their sums, or none. Raises LedgerError."""
        async with database.writing() as session:
            last = await _last(session, batch)
            came: dict[int, int] = {}
            rows: list[Made] = []
            for at, noted in enumerate(batch):
                if at % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                row = made(noted, self._price_of, _overlap(noted, last))
                if row.cacheable:
                    came.update((number, noted.at_ms) for number, _ in noted.record.openings)
                    last.update(came)
                rows.append(row)
            await session.many(_INSERT, [row.entry for row in rows])
            if came:
                await session.many(_REMEMBER, sorted(came.items()))
            await self._hours.add(session, rows)

    async def clean(self, database: Database, now_ms: int) -> None:
        """Removes what has been kept long enough. Raises LedgerError."""
        rows_before = now_ms - self._retention.rows * DAY_MS
        hours_before = (now_ms - self._retention.hours * DAY_MS) // 1000
        async with database.writing() as session:
            await session.fetch("DELETE FROM openings WHERE at < ?", (now_ms - OPENING_MS,))
            for table in ("hour_skips", "hour_kinds"):
                old = f"DELETE FROM {table} WHERE hour_id IN (SELECT id FROM hours WHERE hour < ?)"  # noqa: S608
                await session.fetch(old, (hours_before,))
            await session.fetch("DELETE FROM hours WHERE hour < ?", (hours_before,))
        while True:
            async with database.writing() as session:
                cut = "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at < ? LIMIT ?) RETURNING 1"
                if len(await session.fetch(cut, (rows_before, _CUT))) < _CUT:
                    return
            await asyncio.sleep(0)


async def _last(session: Session, batch: Sequence[Noted]) -> dict[int, int]:
    """When each beginning of a request in the batch was last seen, as far as it was."""
    wanted = sorted({number for noted in batch for number, _ in noted.record.openings})
    last: dict[int, int] = {}
    for start in range(0, len(wanted), _NAMES):
        some = wanted[start : start + _NAMES]
        query = f"SELECT opening, at FROM openings WHERE opening IN ({', '.join('?' * len(some))})"  # noqa: S608
        last.update((row[0], row[1]) for row in await session.fetch(query, some))
    return last


def _overlap(noted: Noted, last: Mapping[int, int]) -> Seen:
    """last: when a beginning was last seen. What another worker wrote may be of a moment later."""
    if not noted.record.openings:
        return _NOTHING
    sure = ended = 0.0
    for number, share in noted.record.openings:
        at = last.get(number)
        if at is None or abs(noted.at_ms - at) > OPENING_MS:
            return Seen(sure, share if sure else 0.0, ended)
        sure = share
        ended = share if number & 1 else ended
    return Seen(sure, 1.0 if sure else 0.0, ended)
