"""Spans of the clock that amounts are counted in. All of UTC, so that every worker means the same one. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

Kind = Literal["minute", "day", "month"]

MINUTE_S = 60


class Period(NamedTuple):
    """One span. starts, ends: seconds since 1970, the end not in it. name: unlike every other one's."""

    starts: float
    ends: float
    name: str


def period(kind: Kind, now: float) -> Period:
    """The one that a moment (seconds since 1970) lies in."""
    if kind == "minute":
        number = int(now // MINUTE_S)
        return Period(number * MINUTE_S, (number + 1) * MINUTE_S, f"m{number}")
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if kind == "day":
        return Period(day.timestamp(), (day + timedelta(days=1)).timestamp(), f"{day:%Y-%m-%d}")
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(first.timestamp(), following.timestamp(), f"{first:%Y-%m}")


def room_after_s(limit: float, before: float, current: float, cost: float, passed: float) -> float | None:
    """Seconds until a cost fits into a minute that slides, None if it never does.

    before, current: what the last whole minute and the running one hold. passed: seconds of the running one. The
    last minute counts with the share of it that the sliding one still covers.
    """
    if cost > limit:
        return None
    room = limit - current - cost
    if room >= 0:
        needed = MINUTE_S * (1 - room / before) if before > 0 else 0.0
        return max(0.0, needed - passed)
    return max(0.0, MINUTE_S - passed + MINUTE_S * (1 - (limit - cost) / current))
