"""Sums per hour: what reports and pages read, kept longer than rows. Bounded, whatever callers name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import add

from moosproxy.proxy.ledger.databases.database import Session
from moosproxy.proxy.ledger.databases.schema import KEYS, SUMS
from moosproxy.proxy.ledger.entry import Entry, Made
from moosproxy.proxy.ledger.rows import OTHER, HourRow, KindRow, usd

HOUR_S = 3600
GROUPS = 2000
"""Groups of one hour; what comes later is summed with its team and door, and other names as `other`."""

REACHED = "hours.upstream <> ''"
"""Requests that reached an upstream: what the page and the report count. What was refused before is told apart."""
REFUSED = "SELECT CAST(COALESCE(SUM(errors), 0) AS BIGINT) FROM hours WHERE hours.upstream = ''"
_MARKS = ", ".join("?" * (len(KEYS) + len(SUMS)))
_ADD = (
    f"INSERT INTO hours ({', '.join((*KEYS, *SUMS))}) VALUES ({_MARKS}) ON CONFLICT ({', '.join(KEYS)}) "  # noqa: S608
    f"DO UPDATE SET {', '.join(f'{name} = hours.{name} + excluded.{name}' for name in SUMS)} RETURNING id"
)
_ADD_SKIPS = (
    "INSERT INTO hour_skips (hour_id, reason, parts) VALUES (?, ?, ?) ON CONFLICT (hour_id, reason) "
    "DO UPDATE SET parts = hour_skips.parts + excluded.parts"
)
_ADD_KINDS = (
    "INSERT INTO hour_kinds (hour_id, kind, parts, tokens_before, tokens_sent) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (hour_id, kind) DO UPDATE SET parts = hour_kinds.parts + excluded.parts, "
    "tokens_before = hour_kinds.tokens_before + excluded.tokens_before, "
    "tokens_sent = hour_kinds.tokens_sent + excluded.tokens_sent"
)

Key = tuple[int, str, str, str, str, str, str, str]


@dataclass(slots=True)
class _Group:
    sums: list[int] = field(default_factory=lambda: [0] * len(SUMS))
    skips: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    def add(self, made: Made) -> None:
        self.sums = list(map(add, self.sums, _values(made.entry)))
        if not _answered(made.entry):
            return
        for reason, count in made.skips.items():
            self.skips[reason] = self.skips.get(reason, 0) + count
        for kind, (before, sent, parts) in made.kinds.items():
            known = self.kinds.get(kind, (0, 0, 0))
            self.kinds[kind] = known[0] + before, known[1] + sent, known[2] + parts


class Hours:
    """Adds up what one process writes. Knows the groups of the running hour."""

    def __init__(self, bound: int = GROUPS) -> None:
        self._bound = bound
        self._known: dict[int, set[Key]] = {}

    async def add(self, session: Session, rows: Iterable[Made]) -> None:
        """Adds the rows to their hours, in the transaction of the session."""
        groups: dict[Key, _Group] = {}
        for made in rows:
            groups.setdefault(_key(made.entry), _Group()).add(made)
        for key, group in groups.items():
            fitting = await self._fitting(session, key)
            (found,) = await session.fetch(_ADD, (*fitting, *group.sums))
            if group.skips:
                await session.many(_ADD_SKIPS, [(found[0], *skip) for skip in group.skips.items()])
            if group.kinds:
                rows_of = [(found[0], kind, parts, *sizes) for kind, (*sizes, parts) in group.kinds.items()]
                await session.many(_ADD_KINDS, rows_of)

    async def _fitting(self, session: Session, key: Key) -> Key:
        """The key, or the one for whatever is beyond the bound."""
        hour = key[0]
        known = self._known.get(hour)
        if known is None:
            rows = await session.fetch(f"SELECT {', '.join(KEYS)} FROM hours WHERE hour = ?", (hour,))  # noqa: S608
            if len(self._known) > 2:
                self._known.clear()
            known = self._known[hour] = {tuple(row) for row in rows}
        if key in known or len(known) < self._bound:
            known.add(key)
            return key
        return hour, key[1], OTHER, OTHER, key[4], OTHER, key[6] and OTHER, key[7]


def _key(entry: Entry) -> Key:
    hour = entry.at // 1000 // HOUR_S * HOUR_S
    return (
        hour, entry.team, entry.policy, entry.route, entry.door, entry.model, entry.upstream, entry.arm
    )  # fmt: skip


def _answered(entry: Entry) -> bool:
    """As in Record."""
    return bool(entry.upstream) and entry.status < 400


def _values(entry: Entry) -> tuple[int, ...]:
    """In the order of SUMS. Nothing was saved by what no upstream took."""
    answered = _answered(entry)
    return (
        1,
        int(entry.status >= 400 or bool(entry.error)),
        int(entry.retries > 0),
        int(entry.billed_nano is not None),
        entry.tokens_before * answered,
        entry.tokens_sent * answered,
        entry.input_tokens or 0,
        entry.cached_tokens or 0,
        entry.cache_written_tokens or 0,
        entry.output_tokens or 0,
        entry.reasoning_tokens or 0,
        entry.billed_nano or 0,
        entry.original_nano or 0,
        entry.total_us,
        entry.compression_us,
        entry.saved_us,
        entry.cache_hits,
    )


async def read_hours(session: Session, since: datetime, until: datetime, team: str | None) -> list[HourRow]:
    """The groups of the hours that begin in [since, until), in order of time. team: None for all."""
    where, values = _span(since, until, team)
    names = ", ".join(f"hours.{name}" for name in ("id", *KEYS, *SUMS))
    rows = await session.fetch(f"SELECT {names} FROM hours {where} ORDER BY hour, id", values)  # noqa: S608
    skips: dict[int, dict[str, int]] = {}
    query = f"SELECT hour_id, reason, parts FROM hour_skips JOIN hours ON hours.id = hour_id {where}"  # noqa: S608
    for found, reason, parts in await session.fetch(query, values):
        skips.setdefault(found, {})[reason] = parts
    return [_hour_row(row, skips.get(row[0], {})) for row in rows]


async def read_kinds(session: Session, since: datetime, until: datetime, team: str | None) -> list[KindRow]:
    """The same per kind of text, the one with most tokens first."""
    where, values = _span(since, until, team)
    query = (
        "SELECT kind, CAST(SUM(hour_kinds.tokens_before) AS BIGINT), CAST(SUM(hour_kinds.tokens_sent) AS BIGINT), "  # noqa: S608
        f"CAST(SUM(parts) AS BIGINT) FROM hour_kinds JOIN hours ON hours.id = hour_id {where} GROUP BY kind"
    )
    rows = [KindRow(*row) for row in await session.fetch(query, values)]
    return sorted(rows, key=lambda row: (-row.tokens_before, row.kind))


def _span(since: datetime, until: datetime, team: str | None) -> tuple[str, tuple[object, ...]]:
    first = int(since.timestamp()) // HOUR_S * HOUR_S
    where, values = f"WHERE {REACHED} AND hours.hour >= ? AND hours.hour < ?", (first, int(until.timestamp()))
    return (where, values) if team is None else (f"{where} AND hours.team = ?", (*values, team))


async def read_refused(session: Session, since: datetime, until: datetime, team: str | None) -> int:
    """How many requests of these hours failed before an upstream had them."""
    where, values = _span(since, until, team)
    rows = await session.fetch(REFUSED + where.removeprefix(f"WHERE {REACHED}"), values)
    return int(rows[0][0])


def _hour_row(row: tuple[object, ...], skips: dict[str, int]) -> HourRow:
    names: Mapping[str, object] = dict(zip(("id", *KEYS, *SUMS), row, strict=True))
    priced = names["priced"]
    return HourRow(
        **{name: names[name] for name in (*KEYS, *SUMS[:11])},  # type: ignore[arg-type]
        billed_usd=usd(names["billed_nano"]) if priced else None,  # type: ignore[arg-type]
        original_usd=usd(names["original_nano"]) if priced else None,  # type: ignore[arg-type]
        seconds=names["total_us"] / 1e6,  # type: ignore[operator]
        compression_s=names["compression_us"] / 1e6,  # type: ignore[operator]
        saved_s=names["saved_us"] / 1e6,  # type: ignore[operator]
        cache_hits=names["cache_hits"],  # type: ignore[arg-type]
        skips=skips,
    )
