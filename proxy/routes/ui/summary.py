"""Sums of the ledger in, the figures of the page out. Pure: no clock, no file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from moosproxy.proxy.errors import BadRequest
from moosproxy.proxy.ledger.rows import KindRow
from moosproxy.proxy.ledger.sides import ENOUGH, Sides
from moosproxy.proxy.ledger.view.sums import COUNTS, MONEY, Asked, Sums, View

HOUR_S = 3600
DAY_S = 24 * HOUR_S
MOST_DAYS = 400
GROUPS = ("team", "model", "route", "kind")
MOST_NAMES = 100
"""Rows of a table; the rest of the names is one row more."""
REST = "all others"

_SINCE = re.compile(r"([1-9][0-9]{0,3})([hd])")
_STEPS = ((2 * DAY_S, HOUR_S), (14 * DAY_S, 3 * HOUR_S), (45 * DAY_S, 12 * HOUR_S))
"""Up to so long a time a point of the chart stands for so long; beyond that for a day."""
_NAMES = (*COUNTS, *MONEY, "seconds")


def asked(since: str, by: str, now: int, team: str | None) -> tuple[Asked, bool]:
    """What the ledger is asked for, and whether kinds of text are wanted. now: Unix seconds. Raises BadRequest."""
    seconds, names = span_s(since), groups(by)
    begin = (now - seconds) // HOUR_S * HOUR_S
    grouped = [name for name in names if name != "kind"]
    return Asked(begin, now + 1, step_s(seconds), grouped, team), "kind" in names


def span_s(since: str) -> int:
    """Seconds that `24h` or `7d` stand for. Raises BadRequest."""
    found = _SINCE.fullmatch(since)
    seconds = int(found[1]) * (HOUR_S if found[2] == "h" else DAY_S) if found else 0
    if 0 < seconds <= MOST_DAYS * DAY_S:
        return seconds
    raise BadRequest(f"since must be hours or days, such as 24h or 7d, at most {MOST_DAYS}d.", param="since")


def groups(by: str) -> list[str]:
    """The names in a list with commas. Raises BadRequest."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    if set(names) <= set(GROUPS):
        return names
    raise BadRequest(f"by must name some of {', '.join(GROUPS)}.", param="by")


def step_s(seconds: int) -> int:
    """How much time one point of a chart stands for."""
    return next((step for bound, step in _STEPS if seconds <= bound), DAY_S)


def told(view: View, question: Asked, *, kinds: bool) -> dict[str, Any]:
    """The page's figures."""
    by = {name: _table(found) for name, found in view.by.items()}
    if kinds:
        by["kind"] = [_kind(row) for row in view.kinds]
    texts = sum(row.parts for row in view.kinds)
    return {
        "since": question.since,
        "until": question.until,
        "step": question.step,
        "totals": {**_added(list(view.over_time.values())), "texts": texts, "refused": view.refused},
        "series": _series(view, question),
        "by": by,
        "skips": view.skips,
    }


def control(sides: Sequence[Sides]) -> list[dict[str, Any]]:
    """The two sides of each policy that has a control group. needed: conversations on either side."""
    return [
        {
            "policy": side.policy,
            "compressed": side.compressed,
            "holdout": side.holdout,
            "needed": ENOUGH,
            "unpriced": side.unpriced,
            "differences": [{**asdict(found), "told": found.told} for found in side.differences],
        }
        for side in sides
    ]


def _added(rows: list[Sums]) -> Sums:
    return {name: round(sum(row[name] for row in rows), 9) for name in _NAMES}


def _table(found: dict[str, Sums]) -> list[dict[str, Any]]:
    """The names with most tokens first, and no more than a table can show."""
    ranked = sorted(found.items(), key=lambda entry: (-entry[1]["tokens_before"], entry[0]))
    rows = [{"name": name, **sums} for name, sums in ranked[:MOST_NAMES]]
    rest = [sums for _, sums in ranked[MOST_NAMES:]]
    return [*rows, {"name": REST, **_added(rest)}] if rest else rows


def _kind(row: KindRow) -> dict[str, Any]:
    return {
        "name": row.kind, "tokens_before": row.tokens_before, "tokens_sent": row.tokens_sent, "parts": row.parts,
    }  # fmt: skip


def _series(view: View, question: Asked) -> dict[str, list[float]]:
    """Columns over time, as the chart takes them; a time without a request is a row of zeros."""
    nothing = dict.fromkeys(_NAMES, 0.0)
    step = question.step
    at = list(range(question.since // step * step, question.until, step))
    points = [view.over_time.get(second, nothing) for second in at]
    return {"at": [*at], **{name: [point[name] for point in points] for name in _NAMES}}
