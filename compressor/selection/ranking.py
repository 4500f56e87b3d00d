"""Which words to keep: one budget for the whole text, the best words first, ties by position. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.text.encoding import IntArray

BoolArray = npt.NDArray[np.bool_]
ScoreArray = npt.NDArray[np.float64]

# Scores are compared at this precision, so that rounding noise below it never decides.
DECIMALS = 5


def ranked(score: ScoreArray) -> npt.NDArray[np.intp]:
    """Word indices from best to worst; of equal (rounded) scores the earlier word comes first."""
    return np.argsort(-np.round(score, DECIMALS), kind="stable")


def select(
    score: ScoreArray, costs: IntArray, forced: BoolArray, budget: float, order: npt.NDArray[np.intp] | None = None
) -> BoolArray:
    """Kept words, shape (words,): all forced ones, then the best others while their cost fits the budget.

    score: (words,). costs: tokens of each word. forced: kept whatever the budget, and not charged to it.
    order: ranked(score), if the caller has it already.
    """
    kept = forced.copy()
    order = ranked(score) if order is None else order
    order = order[~forced[order]]
    spent = np.cumsum(costs[order], dtype=np.int64)
    # The first word that does not fit ends the selection: a cheaper, worse one after it would be arbitrary.
    count = int(np.searchsorted(spent, budget, side="right"))
    if count < len(order):  # the nearer of the two sides of the budget
        before = spent[count - 1] if count else 0
        if spent[count] - budget < budget - before:
            count += 1
    kept[order[:count]] = True
    return kept


def spans_of(kept: BoolArray, starts: IntArray, ends: IntArray) -> tuple[tuple[int, int], ...]:
    """Character spans of the runs of kept words; the white space inside a run is part of its span."""
    indices = np.flatnonzero(kept)
    if not len(indices):
        return ()
    broken = np.diff(indices) > 1
    first = np.concatenate(([True], broken))
    last = np.concatenate((broken, [True]))
    return tuple(zip(starts[indices[first]].tolist(), ends[indices[last]].tolist(), strict=True))
