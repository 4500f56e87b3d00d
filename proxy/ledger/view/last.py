"""The last rows of all processes, for whoever watches."""

from __future__ import annotations

from typing import Any

import orjson

from moosproxy.proxy.ledger.databases.database import Database

_COLUMNS = (
    "at", "team", "endpoint", "model", "route", "policy", "upstream", "status", "error", "stream",
    "tokens_before", "tokens_sent", "compression_us", "total_us", "skips",
)  # fmt: skip

_AS_THEY_ARE = ("team", "endpoint", "model", "route", "policy", "upstream", "status", "error", "tokens_before")
_DAY_S = 24 * 3600


async def last_rows(database: Database, team: str | None, count: int, now: float) -> list[dict[str, Any]]:
    """The latest first, of the day before `now` (Unix seconds), in the form of `observing.recent.Seen`.

    team: None for all. Raises LedgerError.
    """
    where, values = ("", ()) if team is None else ("AND team = ?", (team,))
    query = f"SELECT {', '.join(_COLUMNS)} FROM requests WHERE at >= ? {where} ORDER BY at DESC LIMIT ?"  # noqa: S608
    async with database.reading() as session:
        rows = await session.fetch(query, (int((now - _DAY_S) * 1000), *values, count))
    return [_told(dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": row["at"] / 1000,
        "stream": bool(row["stream"]),
        "tokens_after": row["tokens_sent"],
        "compression_ms": row["compression_us"] / 1000,
        "seconds": row["total_us"] / 1e6,
        "outcomes": _outcomes(row),
        **{name: row[name] for name in _AS_THEY_ARE},
    }


def _outcomes(row: dict[str, Any]) -> dict[str, int | None]:
    """Texts by what became of them. How many were compressed no row says: None where any was."""
    left: dict[str, int | None] = orjson.loads(row["skips"] or b"{}")
    return {"compressed": None, **left} if row["tokens_sent"] < row["tokens_before"] else left
