"""A quality floor: the highest ratio that keeps the share of answers asked for, by a calibration. Pure.

What is predicted by is a level: how much of what the scores find is left. It depends on the text, its question and
the settings alone, so a text gets the same ratio in every turn.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.calibration import GRID, Calibration, highest
from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.result import Floor
from moosproxy.compressor.selection.outcome import Outcome
from moosproxy.compressor.selection.units.by_units import UnitSelection

FloatArray = npt.NDArray[np.float64]

SHORT_TOKENS = 1000
"""A text of fewer tokens is short: as where what must stay is decided."""
POWER = 4.0
"""Where somebody asks a unit counts by this power of its worth: answers seldom stand in a middling one."""
GONE = 0.5
"""A unit of which a smaller share is kept has gone."""

_CLASSES = {
    TextKind.DIALOGUE: "turns",
    TextKind.CODE: "code",
    TextKind.DIFF: "code",
    TextKind.SQL: "code",
    TextKind.CONFIG: "data",
    TextKind.JSON: "data",
    TextKind.CSV: "lines",
    TextKind.TABLE: "lines",
    TextKind.LISTING: "lines",
    TextKind.SEARCH: "lines",
    TextKind.PATHS: "lines",
    TextKind.LOG: "lines",
    TextKind.TRACE: "lines",
}
"""Kinds of text that a calibration tells apart; every other is prose."""


def choose(plan: Plan, selection: UnitSelection, calibration: Calibration) -> tuple[Floor, Outcome | None]:
    """The outcome at the ratio that the floor allows, None where none is allowed. plan: with a quality."""
    asked = plan.settings.quality
    assert asked is not None
    group = group_of(plan, selection)
    shares: dict[int, float] = {}
    known = group in calibration.groups
    ratios = [ratio for ratio in GRID if ratio <= plan.settings.ratio]

    def holds(index: int) -> bool:
        outcome = selection.at(ratios[index])
        shares[index] = calibration.predicted(group, level(plan, selection, outcome))
        return shares[index] >= asked

    best = highest(ratios, holds)
    if best < 0:
        return Floor(asked, None, 1.0, group, known), None
    return Floor(asked, ratios[best], shares[best], group, known), selection.at(ratios[best])


def group_of(plan: Plan, selection: UnitSelection) -> str:
    """The group of the text in a calibration: what most of it is, whether somebody asks, and its size."""
    sizes: Counter[str] = Counter()
    for kind, tokens in zip(selection.units.kinds, selection.units.whole.tolist(), strict=True):
        sizes[_CLASSES.get(kind, "prose")] += tokens
    most = min(sizes, key=lambda name: (-sizes[name], name), default="prose")
    asked = "asked" if plan.question_text else "not asked"
    return f"{most}, {asked}, {'short' if int(plan.costs.sum()) < SHORT_TOKENS else 'long'}"


def level(plan: Plan, selection: UnitSelection, outcome: Outcome) -> float:
    """How much of what matters is left of the text, in [0, 1].

    Of what the model reads: where somebody asks, half the share of the units' worth that is kept and half the
    margin, how far the best unit that went falls behind the best of all. Where nobody asks an answer may stand
    anywhere, so it is the share of the words' scores alone. Of the rest of the text it is the share of tokens.
    """
    units = selection.units
    whole = units.whole.astype(np.float64)
    kept = _kept(plan, selection, outcome)
    read = np.asarray(units.group == 0)
    total = float(whole.sum())
    if not total:
        return 1.0
    left = float((whole[~read] * kept[~read]).sum())
    if read.any():
        worth = np.maximum(selection.worth[read], 0.0)
        if plan.question_text:
            share = (_share(worth**POWER, kept[read]) + _margin(worth, kept[read])) / 2
        else:
            share = _share(worth * whole[read], kept[read])
        left += share * float(whole[read].sum())
    return min(left / total, 1.0)


def _share(mass: FloatArray, kept: FloatArray) -> float:
    total = float(mass.sum())
    return float((mass * kept).sum()) / total if total else 1.0


def _margin(worth: FloatArray, kept: FloatArray) -> float:
    best = float(worth.max(initial=0.0))
    return 1.0 - float(worth[kept < GONE].max(initial=0.0)) / best if best else 1.0


def _kept(plan: Plan, selection: UnitSelection, outcome: Outcome) -> FloatArray:
    """The share of each unit's words that is kept, shape (units,)."""
    units = selection.units
    sums = np.concatenate(([0], np.cumsum(outcome.words)))
    words = np.maximum(units.last - units.first, 1)
    return np.asarray((sums[units.last] - sums[units.first]) / words, np.float64)
