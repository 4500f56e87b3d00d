"""Bounds of teams and keys, each with the counter of the period that is running."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from moosproxy.policies.fields.allowance import Allowance
from moosproxy.policies.keys import Key
from moosproxy.proxy.limits.periods import MINUTE_S, Kind, room_after_s
from moosproxy.proxy.limits.tally import Counter, Tally

Unit = Literal["requests", "tokens", "usd"]
_UNITS: tuple[Unit, ...] = ("requests", "tokens", "usd")

MICRO = 1_000_000
"""Dollars are counted in millionths."""


class Bound(NamedTuple):
    """One field of an allowance. limit: in the unit, dollars in millionths. warn: share of it, None without."""

    whose: str
    name: str
    unit: Unit
    kind: Kind
    limit: int
    warn: float | None


class Meter:
    """A bound and what was used of it."""

    __slots__ = ("_tally", "before", "bound", "counter", "holder", "warn_at")

    def __init__(self, tally: Tally, holder: str, bound: Bound, now: float) -> None:
        """holder: under which the counters are named."""
        self._tally = tally
        self.holder = holder
        self.bound = bound
        self.warn_at = bound.limit * bound.warn if bound.warn is not None and bound.limit else math.inf
        self._turn(now)

    def at(self, now: float) -> Counter:
        """The counter of the running period."""
        if not self.counter.starts <= now < self.counter.ends:
            self._turn(now)
        return self.counter

    def limit(self, now: float) -> float:
        """What the running period may hold: of a minute that slides, less what the last one still covers."""
        if self.before is None:
            return self.bound.limit
        covered = 1 - (now - self.counter.starts) / MINUTE_S
        return self.bound.limit - self.before.total * covered

    def used(self, now: float) -> int:
        """In the running period, as far as it is known here."""
        counter = self.at(now)
        return self._tally.used(counter, counter.own)

    def left(self, now: float) -> int:
        """What may still be used, at least 0."""
        used = self.used(now)  # first: it turns to the running minute, which the limit is of
        return max(0, math.floor(self.limit(now) - used))

    def wait_s(self, cost: int, now: float) -> float | None:
        """Until a cost that was refused may come again; None where it never fits."""
        counter = self.at(now)
        if self.before is None:
            return counter.ends - now if cost <= self.bound.limit else None
        limit, used = self.bound.limit, self._tally.used(counter, counter.own)
        return room_after_s(limit, self.before.total, used, cost, now - counter.starts)

    def _turn(self, now: float) -> None:
        """To the period of now. What came before is asked for, too, in case it was counted elsewhere."""
        unit, kind = self.bound.unit, self.bound.kind
        self.counter = self._tally.counter(self.holder, unit, kind, now)
        self.before = self._tally.counter(self.holder, unit, kind, now - MINUTE_S) if kind == "minute" else None
        if self.before is not None and self.before.asked_at == -math.inf:
            self._tally.touch(self.before)


@dataclass(frozen=True, slots=True)
class Account:
    """All that bounds one caller."""

    team: str | None
    requests: tuple[Meter, ...]
    tokens: tuple[Meter, ...]
    usd: tuple[Meter, ...]
    rates: tuple[tuple[Meter, ...], ...]
    """Those of requests a minute, then those of tokens."""
    budgets: tuple[Meter, ...]

    @classmethod
    def of(cls, tally: Tally, team: str | None, allowance: Allowance | None, key: Key | None) -> Account | None:
        """None where nothing is bounded."""
        whose = f"team {team}" if team is not None else "this proxy"
        now = time.time()
        found = []
        if allowance is not None:
            found += [Meter(tally, f"team:{team or ''}", bound, now) for bound in _bounds(whose, allowance)]
        if key is not None:
            bounds = _bounds(f"key {key.id}", key.allowance)
            found += [Meter(tally, f"key:{key.account}", bound, now) for bound in bounds]
        if not found:
            return None
        requests, tokens, usd = (tuple(each for each in found if each.bound.unit == unit) for unit in _UNITS)
        by_minute = (tuple(meter for meter in meters if meter.before is not None) for meters in (requests, tokens))
        budgets = tuple(meter for meter in (*tokens, *usd) if meter.bound.warn is not None)
        return cls(team, requests, tokens, usd, tuple(filter(None, by_minute)), budgets)


def _bounds(whose: str, allowance: Allowance) -> Iterator[Bound]:
    limits, budget = allowance.limits, allowance.budget
    for unit in _UNITS[:2]:
        rate: int | None = getattr(limits, f"{unit}_per_minute")
        if rate is not None:
            yield Bound(whose, f"{unit}_per_minute", unit, "minute", rate, None)
    for kind in ("day", "month"):
        tokens: int | None = getattr(budget, f"tokens_per_{kind}")
        if tokens is not None:
            yield Bound(whose, f"tokens_per_{kind}", "tokens", kind, tokens, budget.warn)
        usd: float | None = getattr(budget, f"usd_per_{kind}")
        if usd is not None:
            yield Bound(whose, f"usd_per_{kind}", "usd", kind, round(usd * MICRO), budget.warn)
