"""Intervals over questions and seeds together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.evaluation.measures.statistics import DRAWS, Estimate
from moosproxy.compressor.soft.evaluation.evaluate import Results

Scores = npt.NDArray[np.float64]
"""(seeds, questions), each in [0, 1]; the same questions in the same order for every method."""


def scores(results: Results, part: str, method: str, ratio: int, measure: str = "exact") -> Scores | None:
    """(seeds, questions), or None if it was not measured."""
    rows = [
        getattr(cell, measure) for key, cell in sorted(results.cells.items()) if key[:3] == (part, method, ratio)
    ]
    return np.array(rows, dtype=np.float64) if rows else None


def percent(value: Estimate) -> str:
    """With its interval, in percent."""
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def mean(scores: Scores) -> Estimate:
    """The mean with its 95% interval: seeds and questions are both drawn again."""
    return _estimate(float(scores.mean()), _drawn(scores))


def share(scores: Scores, of: Scores) -> Estimate:
    """The mean as a share of another's, paired by question."""
    value = float(scores.mean() / of.mean()) if of.mean() else float("nan")
    return _estimate(value, _drawn(scores) / np.maximum(_drawn(of), 1e-9))


def lead(scores: Scores, over: Scores) -> Estimate:
    """The difference of the means, paired by question."""
    return _estimate(float(scores.mean() - over.mean()), _drawn(scores) - _drawn(over))


def _drawn(scores: Scores) -> Scores:
    """Means of DRAWS samples (DRAWS,). The questions drawn are the same for every method, the seeds are not."""
    seeds, questions = scores.shape
    chosen = np.random.default_rng(0).multinomial(questions, np.full(questions, 1 / questions), size=DRAWS)
    by_seed = scores @ chosen.T / questions
    rows = np.random.default_rng(seeds).integers(seeds, size=(DRAWS, seeds))
    return np.asarray(by_seed[rows, np.arange(DRAWS)[:, None]].mean(axis=1))


def _estimate(value: float, drawn: Scores) -> Estimate:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high))
