"""Records as requests leave them, and ledgers to look into."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moosproxy.proxy.ledger.databases.sqlite import Sqlite
from moosproxy.proxy.ledger.ledger import Ledger
from moosproxy.proxy.ledger.prices import Price
from moosproxy.proxy.ledger.rows import HourRow
from moosproxy.proxy.ledger.store import Retention
from moosproxy.proxy.ledger.writer import Writer
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.rewriting.outcome import PartOutcome
from moosproxy.proxy.upstreams.usage import Usage

PRICE = Price(2_500_000, 10_000_000, 250_000, 2_500_000, 2_500_000, label="test: input 2.5")
RETENTION = Retention(30, 400)
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


def record(model: str = "gpt-4o", **fields: Any) -> Record:
    """A request whose one text was halved from 2,000 tokens."""
    out = Record("req_1", "POST", "/chat/completions")
    given: dict[str, Any] = {
        "status": 200, "team": "red", "policy": "default", "route": "main", "door": "chat", "upstream": "it",
        "model": model, "arm": "compressed", "usage": Usage(1010, 20, 0, model=model),
        "parts": (PartOutcome(0, None, "user", None, 2000, 1000, None, kinds=(("prose", 2000, 1000),)),),
        "outcomes": {"compressed": 1, "role": 2}, "tokens_before": 2000, "tokens_after": 1000,
    }  # fmt: skip
    for name, value in (given | fields).items():
        setattr(out, name, value)
    return out


def priced(upstream: str, model: str | None, answered: str | None) -> Price | None:
    """Every model but `unknown` has a price."""
    return None if model == "unknown" else PRICE


def writer(path: Path, **options: Any) -> Writer:
    """Of a ledger in a file."""
    return Writer(Sqlite(path), priced, options.pop("retention", RETENTION), **options)


def rows(path: Path, query: str = "SELECT * FROM requests ORDER BY id") -> list[dict[str, Any]]:
    """What the file has, seen from outside."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(query)]


def some(count: int) -> Iterator[Record]:
    """So many requests."""
    return (record() for _ in range(count))


async def read(path: Path, team: str | None = None) -> Sequence[HourRow]:
    """The sums of all hours, as a report reads them."""
    ledger = Ledger(Sqlite(path))
    await ledger.open()
    try:
        return await ledger.hours(NOW - timedelta(days=500), NOW + timedelta(days=5000), team)
    finally:
        await ledger.close()
