"""From what was kept at each ratio to a curve: how far texts may be shortened for a share of answers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.calibration import GRID, Curve, highest

Floats = npt.NDArray[np.float64]

LEAST = 30
"""Fewer records tell nothing of a group, and of a source in it."""
POINTS = 80
"""Levels of a curve at the most."""
SURE = 1.645
"""One-sided 95%: a floor is broken by more texts than it says in one calibration of twenty."""
_DIGITS = 4


@dataclass(frozen=True)
class Observed:
    """One text with what was asked about it, at every ratio of GRID.

    cluster: the record it comes from; texts of one are not independent. levels: shape (ratios,).
    kept: answers that were kept at each ratio, shape (ratios,). answers: those of the whole text. source: of the
    record.
    """

    group: str
    cluster: str
    levels: Sequence[float]
    kept: Sequence[float]
    answers: float
    source: str = ""


def curve(observed: Sequence[Observed]) -> Curve:
    """The curve of one group.

    For each level every text is shortened as far as its own level stays at or above it, and what was kept is
    counted. The shares are made to rise with the level (isotonic), then lowered to the end of their interval, and
    to what the worst source keeps: texts of users are like none of them, and may be like any.
    """
    levels = _levels(observed)
    rising, counts = _shares(observed, levels)
    bounds = np.array([wilson(share, count) for share, count in zip(rising, counts, strict=True)])
    for source in sorted({one.source for one in observed}):
        mine = [one for one in observed if one.source == source]
        if len({one.cluster for one in mine}) >= LEAST:
            bounds = np.minimum(bounds, _shares(mine, levels)[0])
    kept = np.minimum.accumulate(bounds[::-1])[::-1]
    answers = sum(one.answers for one in observed)
    return Curve(
        tuple(levels),
        tuple(float(math.floor(share * 10**_DIGITS) / 10**_DIGITS) for share in kept),
        len({one.cluster for one in observed}),
        round(answers),
    )


def chosen(one: Observed, level: float) -> int:
    """Index in GRID of the ratio that the level allows, -1 for the whole text: as serving finds it."""
    return highest(GRID, lambda index: one.levels[index] >= level)


def isotonic(values: Sequence[float] | Floats) -> Floats:
    """The nearest values that never fall, in squares (pool adjacent violators). Shape as given."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values:
        means.append(float(value))
        sizes.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, size = means.pop(), sizes.pop()
            means[-1] = (means[-1] * sizes[-1] + mean * size) / (sizes[-1] + size)
            sizes[-1] += size
    return np.repeat(np.array(means, np.float64), sizes)


def wilson(share: float, count: float) -> float:
    """The lower end of Wilson's interval of a share in [0, 1] that was counted over so many."""
    if count <= 0:
        return 0.0
    square = SURE * SURE / count
    middle = share + square / 2
    half = SURE * math.sqrt(max(share * (1 - share), 0.0) / count + square / (4 * count))
    return max((middle - half) / (1 + square), 0.0)


def _shares(observed: Sequence[Observed], levels: Sequence[float]) -> tuple[Floats, Floats]:
    """The share kept at each level, rising, and over how many independent answers; both of shape (levels,)."""
    found = np.array([_sums(observed, at) for at in levels])
    return isotonic(found[:, 0]), found[:, 1]


def _levels(observed: Sequence[Observed]) -> list[float]:
    """Some of the levels that occur, ascending; rounded up, so that no text slips below one."""
    found = np.unique([math.ceil(level * 10**_DIGITS) / 10**_DIGITS for one in observed for level in one.levels])
    found = np.unique(np.minimum(found, 1.0))
    if len(found) <= POINTS:
        return [float(level) for level in found]
    places = np.unique(np.linspace(0, len(found) - 1, POINTS).round().astype(int))
    return [float(level) for level in found[places]]


def _sums(observed: Sequence[Observed], level: float) -> tuple[float, float]:
    """The share kept, and over how many independent answers: texts of one record count for less."""
    by_cluster: dict[str, list[float]] = {}
    for one in observed:
        index = chosen(one, level)
        mine = by_cluster.setdefault(one.cluster, [0.0, 0.0])
        mine[0] += one.answers if index < 0 else one.kept[index]
        mine[1] += one.answers
    sums = np.array(list(by_cluster.values()))
    total = float(sums[:, 1].sum())
    share = float(sums[:, 0].sum()) / total
    return share, _effective(sums, share)


def _effective(sums: Floats, share: float) -> float:
    """How many independent answers would tell the share as well: by its variance over the records."""
    clusters, total = len(sums), float(sums[:, 1].sum())
    if clusters < 2:
        return 1.0
    spread = float(((sums[:, 0] - share * sums[:, 1]) ** 2).sum()) * clusters / (clusters - 1) / total**2
    if spread <= 0 or share <= 0 or share >= 1:
        return float(clusters)
    return min(share * (1 - share) / spread, total)
