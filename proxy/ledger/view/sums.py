"""Sums of many hours, by name and over time, in a few queries over the sums per hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moosproxy.proxy.ledger.databases.database import Database, Session
from moosproxy.proxy.ledger.hours import REACHED, REFUSED
from moosproxy.proxy.ledger.rows import KindRow

Sums = dict[str, float]
"""By the names in COUNTS and MONEY, and `seconds`."""
COUNTS = (
    "requests", "errors", "retries", "priced", "tokens_before", "tokens_sent", "input_tokens", "cached_tokens",
    "cache_written_tokens", "output_tokens", "cache_hits",
)  # fmt: skip
MONEY = ("billed_usd", "original_usd", "saved_usd")
GROUPS = ("team", "model", "route", "policy", "door", "upstream")
"""What sums may be grouped by."""

_COLUMNS = ", ".join(
    f"CAST(SUM({name}) AS BIGINT)" for name in (*COUNTS, "billed_nano", "original_nano", "total_us")
)
_HOURS = "hour >= ? AND hour < ?"
_WHERE = f"WHERE {REACHED} AND {_HOURS}"


class Asked(NamedTuple):
    """since, until: Unix seconds, of which the hours are taken that begin in [since, until). step: seconds of one
    point over time. by: some of GROUPS. team: None for all."""

    since: int
    until: int
    step: int
    by: Sequence[str]
    team: str | None = None


@dataclass(slots=True)
class View:
    """over_time: by the Unix second at which a point begins. by: group -> name -> sums. kinds: longest first.

    refused: requests that failed before an upstream had them; they are in no sum.
    """

    over_time: dict[int, Sums] = field(default_factory=dict)
    by: dict[str, dict[str, Sums]] = field(default_factory=dict)
    skips: dict[str, int] = field(default_factory=dict)
    kinds: list[KindRow] = field(default_factory=list)
    refused: int = 0


async def read_view(database: Database, asked: Asked) -> View:
    """Raises LedgerError, and KeyError for a group that is none."""
    if unknown := set(asked.by) - set(GROUPS):
        raise KeyError(*unknown)
    async with database.reading() as session:
        over_time = await _sums(session, f"hour / {asked.step:d} * {asked.step:d}", asked)
        by = {name: await _sums(session, name, asked) for name in asked.by}
        skips = await _parts(session, "SELECT reason, CAST(SUM(parts) AS BIGINT) FROM hour_skips", asked)
        kinds = await _parts(
            session,
            "SELECT kind, CAST(SUM(tokens_before) AS BIGINT), CAST(SUM(tokens_sent) AS BIGINT), "
            "CAST(SUM(parts) AS BIGINT) FROM hour_kinds",
            asked,
        )
        where, values = _span(asked)
        refused = await session.fetch(REFUSED + where.removeprefix(f"WHERE {REACHED}"), values)
    rows = sorted((KindRow(*row) for row in kinds), key=lambda row: (-row.tokens_before, row.kind))
    skipped = {row[0]: row[1] for row in skips}
    return View({int(at): sums for at, sums in over_time.items()}, by, skipped, rows, int(refused[0][0]))


async def _sums(session: Session, key: str, asked: Asked) -> dict[str, Sums]:
    where, values = _span(asked)
    rows = await session.fetch(f"SELECT {key}, {_COLUMNS} FROM hours {where} GROUP BY 1", values)  # noqa: S608
    return {row[0]: _named(row[1:]) for row in rows}


def _named(row: Sequence[int]) -> Sums:
    *counts, billed, original, micro = row
    money = (billed / 1e9, original / 1e9, (original - billed) / 1e9)
    return {**dict(zip(COUNTS + MONEY, (*counts, *money), strict=True)), "seconds": micro / 1e6}


async def _parts(session: Session, query: str, asked: Asked) -> list[Any]:
    """By its first column. The hours are looked up first: a join would begin with every hour there ever was."""
    where, values = _span(asked)
    hours = f"SELECT id FROM hours {where}"  # noqa: S608
    return await session.fetch(f"{query} WHERE hour_id IN ({hours}) GROUP BY 1", values)


def _span(asked: Asked) -> tuple[str, tuple[int | str, ...]]:
    if asked.team is None:
        return _WHERE, (asked.since, asked.until)
    return f"{_WHERE} AND team = ?", (asked.since, asked.until, asked.team)
