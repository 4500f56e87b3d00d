"""Paired bootstrap over records: the unit that is drawn again is a text, never a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# A measurement of one item: what counts, and out of how much. A share is the quotient of their sums.
Counts = tuple[float, float]

DRAWS = 1000


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def by_group(measured: Mapping[str, list[Counts]], order: list[str]) -> npt.NDArray[np.float64]:
    """Sums of both counts of each group in `order`, shape (groups, 2)."""
    return np.array([np.sum(measured[group], axis=0) if measured.get(group) else (0.0, 0.0) for group in order])


def share(sums: npt.NDArray[np.float64], seed: int = 0) -> Estimate:
    """sum/sum over groups with a percentile interval. sums: (groups, 2)."""
    drawn = _draw(len(sums), seed) @ sums
    return _estimate(_ratio(sums.sum(0)), _ratio(drawn))


def share_kept(sums: npt.NDArray[np.float64], ceiling: npt.NDArray[np.float64], seed: int = 0) -> Estimate:
    """The share relative to the one of the full text, paired by group. Both (groups, 2)."""
    draws = _draw(len(sums), seed)
    value = _ratio(sums.sum(0)) / _ratio(ceiling.sum(0))
    return _estimate(value, _ratio(draws @ sums) / _ratio(draws @ ceiling))


def difference(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], seed: int = 0) -> Estimate:
    """Share of a minus share of b, paired by group. Both (groups, 2)."""
    draws = _draw(len(a), seed)
    return _estimate(_ratio(a.sum(0)) - _ratio(b.sum(0)), _ratio(draws @ a) - _ratio(draws @ b))


def _draw(groups: int, seed: int) -> npt.NDArray[np.float64]:
    """How often each group is drawn, shape (DRAWS, groups)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(groups, np.full(groups, 1 / groups), size=DRAWS).astype(np.float64)


def _ratio(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _estimate(value: npt.NDArray[np.float64], drawn: npt.NDArray[np.float64]) -> Estimate:
    if np.isnan(drawn).all():
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))
