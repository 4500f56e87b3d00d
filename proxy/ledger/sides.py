"""The control group beside the rest: differences with 95% intervals, over conversations, which are independent.

The requests of one conversation are alike, so a request is no sample of its own. Each figure is a ratio of sums
over conversations, its variance that of the linearised ratio, and the interval Welch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moosproxy.proxy.ledger.databases.database import Session

ENOUGH = 30
"""Conversations on each side below which nothing is said."""
_Z = NormalDist().inv_cdf(0.975)
_QUERY = """
SELECT policy, arm, conversation, CAST(COUNT(*) AS BIGINT), CAST(SUM(billed_nano) AS BIGINT),
 CAST(SUM(total_us) AS BIGINT), CAST(SUM(output_tokens) AS BIGINT),
 CAST(SUM(CASE WHEN retries > 0 THEN 1 ELSE 0 END) AS BIGINT),
 CAST(SUM(CASE WHEN status >= 400 OR error <> '' THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT),
 CAST(SUM(CASE WHEN status < 400 AND billed_nano IS NULL THEN 1 ELSE 0 END) AS BIGINT),
 CAST(SUM(CASE WHEN status < 400 AND input_tokens IS NULL THEN 1 ELSE 0 END) AS BIGINT)
FROM requests WHERE at >= ? AND at < ? AND conversation IS NOT NULL AND (? = '' OR team = ?)
GROUP BY policy, arm, conversation
"""
_COLUMNS = (
    "requests", "billed_nano", "total_us", "output_tokens", "retries", "errors", "input_tokens", "unpriced",
    "uncounted",
)  # fmt: skip
_LACKING = {"billed_nano": "unpriced", "input_tokens": "uncounted", "output_tokens": "uncounted"}
"""Conversations with such requests are left out where this is added up: nothing is known of what they cost."""
# name -> (what is added up, what it is divided by or None for conversations, factor to the unit, whether a share)
_MEASURES: dict[str, tuple[str, str | None, float, bool]] = {
    "billed_usd_per_conversation": ("billed_nano", None, 1e-9, False),
    "input_tokens_per_conversation": ("input_tokens", None, 1, False),
    "requests_per_conversation": ("requests", None, 1, False),
    "seconds_per_request": ("total_us", "requests", 1e-6, False),
    "output_tokens_per_request": ("output_tokens", "requests", 1, False),
    "retried_requests": ("retries", "requests", 1, True),
    "failed_requests": ("errors", "requests", 1, True),
}

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure on both sides. low, high: bounds of compressed less holdout at 95%."""

    measure: str
    compressed: float
    holdout: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """compressed - holdout."""
        return self.compressed - self.holdout

    @property
    def told(self) -> bool:
        """Whether the interval leaves out that there is no difference."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Sides:
    """The comparison for one policy. differences: empty where there are too few conversations.

    unpriced, uncounted: conversations on both sides that had a request without an amount, or without usage: they
    are left out of the figures in dollars, or in tokens.
    """

    policy: str
    compressed: int
    holdout: int
    differences: tuple[Difference, ...]
    unpriced: int = 0
    uncounted: int = 0

    @property
    def enough(self) -> bool:
        """Whether anything can be said."""
        return min(self.compressed, self.holdout) >= ENOUGH


async def read_sides(session: Session, since: datetime, until: datetime, team: str | None) -> list[Sides]:
    """For each policy that had a control group, from rows: those of older requests are gone."""
    span = int(since.timestamp() * 1000), int(until.timestamp() * 1000)
    rows = await session.fetch(_QUERY, (*span, team or "", team or ""))
    policies = sorted({row[0] for row in rows if row[1] == "holdout"})
    return [
        sides_of(policy, *(_columns(rows, policy, arm) for arm in ("compressed", "holdout")))
        for policy in policies
    ]


def _columns(rows: Sequence[Any], policy: str, arm: str) -> Columns:
    chosen = [row[3:] for row in rows if row[0] == policy and row[1] == arm]
    table = np.array([[float(value or 0) for value in row] for row in chosen]).reshape(-1, len(_COLUMNS))
    return {name: table[:, at] for at, name in enumerate(_COLUMNS)}


def sides_of(policy: str, compressed: Columns, holdout: Columns) -> Sides:
    """The comparison of two sides. Columns: a value for each conversation."""
    sizes = len(compressed["requests"]), len(holdout["requests"])
    lacking = [
        sum(int((side[name] > 0).sum()) for side in (compressed, holdout)) for name in ("unpriced", "uncounted")
    ]
    if min(sizes) < ENOUGH:
        return Sides(policy, *sizes, (), *lacking)
    found = (_difference(name, compressed, holdout) for name in _MEASURES)
    return Sides(policy, *sizes, tuple(each for each in found if each is not None), *lacking)


def _difference(measure: str, compressed: Columns, holdout: Columns) -> Difference | None:
    """None where too few conversations are left."""
    above, below, unit, share = _MEASURES[measure]
    if above in _LACKING:
        compressed, holdout = _without(compressed, _LACKING[above]), _without(holdout, _LACKING[above])
    if min(len(compressed["requests"]), len(holdout["requests"])) < ENOUGH:
        return None
    sides = [
        _ratio(side[above] * unit, None if below is None else side[below], share) for side in (compressed, holdout)
    ]
    (ours, our_variance, our_size), (theirs, their_variance, their_size) = sides
    variance = our_variance + their_variance
    half = _t(_welch(our_variance, our_size, their_variance, their_size)) * sqrt(variance)
    return Difference(measure, ours, theirs, ours - theirs - half, ours - theirs + half)


def _without(side: Columns, lacking: str) -> Columns:
    whole = side[lacking] == 0
    return {name: column[whole] for name, column in side.items()}


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64] | None, share: bool) -> tuple[float, float, int]:
    """A ratio of sums, the variance of it, and the number of conversations."""
    size = len(above)
    below = np.ones(size) if below is None else below
    total = float(below.sum())
    value = float(above.sum()) / total
    variance = float(((above - value * below) ** 2).sum()) / (size * (size - 1)) / (total / size) ** 2
    if share:  # of few or no cases the spread is not seen: as if one more had been there and one more had not
        some = (float(above.sum()) + 1) / (total + 2)
        variance = max(variance, some * (1 - some) / (total + 2))
    return value, variance, size


def _welch(one: float, one_size: int, other: float, other_size: int) -> float:
    below = one**2 / (one_size - 1) + other**2 / (other_size - 1)
    return (one + other) ** 2 / below if below else inf


def _t(freedom: float) -> float:
    """The 97.5% point of Student's t, by the first terms of its expansion: good to 0.1% from 20 on."""
    if freedom == inf:
        return _Z
    return _Z + (_Z**3 + _Z) / (4 * freedom) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
