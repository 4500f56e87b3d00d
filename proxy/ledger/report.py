"""What was spent and saved in a span of time, grouped as asked, as plain values: `moos report` shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from moosproxy.proxy.ledger.ledger import Ledger
from moosproxy.proxy.ledger.rows import HourRow, KindRow
from moosproxy.proxy.ledger.sides import Sides

_SPAN = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_GROUPED: dict[str, Callable[[HourRow], str]] = {
    "team": lambda row: row.team,
    "policy": lambda row: row.policy,
    "route": lambda row: row.route,
    "door": lambda row: row.door,
    "model": lambda row: row.model,
    "upstream": lambda row: row.upstream,
    "arm": lambda row: row.arm,
    "day": lambda row: f"{datetime.fromtimestamp(row.hour, UTC):%Y-%m-%d}",
    "hour": lambda row: f"{datetime.fromtimestamp(row.hour, UTC):%Y-%m-%dT%HZ}",
}
GROUPS = tuple(_GROUPED)
"""What a report may be grouped by."""
CLASS = ("door", "model", "policy")
"""Requests that have these in common are a class: one that costs more than it saves is shown red."""


@dataclass(slots=True)
class Line:
    """The sums of a group. names: as it is grouped. Dollars: None where nothing has a price."""

    names: tuple[str, ...]
    requests: int = 0
    errors: int = 0
    priced: int = 0
    tokens_before: int = 0
    tokens_sent: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    billed_usd: Decimal | None = None
    original_usd: Decimal | None = None
    seconds: float = 0.0
    compression_s: float = 0.0
    saved_s: float = 0.0
    skips: dict[str, int] = field(default_factory=dict)

    def add(self, row: HourRow) -> None:
        """Adds an hour's group."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(row, name))
        if row.billed_usd is not None and row.original_usd is not None:
            self.billed_usd = (self.billed_usd or Decimal(0)) + row.billed_usd
            self.original_usd = (self.original_usd or Decimal(0)) + row.original_usd
        for reason, count in row.skips.items():
            self.skips[reason] = self.skips.get(reason, 0) + count

    @property
    def saved_usd(self) -> Decimal | None:
        """original less billed."""
        if self.billed_usd is None or self.original_usd is None:
            return None
        return self.original_usd - self.billed_usd

    @property
    def costs_more(self) -> bool:
        """Whether compression cost more than it saved."""
        return self.saved_usd is not None and self.saved_usd < 0


_ADDED = (
    "requests", "errors", "priced", "tokens_before", "tokens_sent", "input_tokens", "cached_tokens",
    "output_tokens", "seconds", "compression_s", "saved_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """since, until: with their zone. red: classes where compression cost more than it saved.

    refused: requests that failed before an upstream had them; they are in no line.
    """

    since: datetime
    until: datetime
    by: tuple[str, ...]
    total: Line
    lines: tuple[Line, ...]
    red: tuple[Line, ...]
    kinds: tuple[KindRow, ...]
    sides: tuple[Sides, ...]
    refused: int = 0

    @property
    def empty(self) -> bool:
        """Whether there was no request."""
        return not self.total.requests and not self.refused


async def report_of(
    ledger: Ledger, since: datetime, until: datetime, by: Sequence[str], team: str | None = None
) -> Report:
    """Reads the span. by: of GROUPS. team: of one team alone. Raises LedgerError."""
    rows = await ledger.hours(since, until, team)
    (total,) = grouped(rows, ()) or [Line(())]
    red = [line for line in grouped(rows, CLASS) if line.costs_more]
    return Report(
        since,
        until,
        tuple(by),
        total,
        tuple(grouped(rows, by)),
        tuple(red),
        tuple(await ledger.kinds(since, until, team)),
        tuple(await ledger.sides(since, until, team)),
        await ledger.refused(since, until, team),
    )


def grouped(rows: Iterable[HourRow], by: Sequence[str]) -> list[Line]:
    """Sums per group: by day and hour in their order, else what was billed most first."""
    lines: dict[tuple[str, ...], Line] = {}
    for row in rows:
        names = tuple(_GROUPED[name](row) for name in by)
        lines.setdefault(names, Line(names)).add(row)
    if {"day", "hour"} & set(by):
        return sorted(lines.values(), key=lambda line: line.names)
    return sorted(lines.values(), key=lambda line: (-(line.billed_usd or 0), -line.requests, line.names))


def span_since(text: str, now: datetime) -> datetime:
    """`7d`, `24h`, `2w`, or a date or time in ISO form, which counts as UTC without a zone. Raises ValueError."""
    match = _SPAN.fullmatch(text.strip())
    if match is not None:
        return now - int(match[1]) * _UNITS[match[2]]
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
