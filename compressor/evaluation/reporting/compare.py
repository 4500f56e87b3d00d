"""`moos eval compare`: what a change of the checkpoint or engine does to answers, paired text by text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, Results

ALL = "all"


def differences(before: Results, after: Results, measure: str) -> Iterator[tuple[str, str, str, Estimate]]:
    """Task, method, ratio and the points of the full text's score gained from `before` to `after`.

    Last of each task, under ALL, the mean over methods and ratios: the same texts, and far less noise.
    """
    for task in before.sums:
        whole = before.table(task, FULL_TEXT, "1", measure)
        if whole is None:
            continue
        gains = []
        for method in before.methods(task):
            for ratio in before.ratios(task):
                one, other = (found.table(task, method, ratio, measure) for found in (before, after))
                if one is None or other is None or len(one) != len(other):
                    continue
                gains.append(100 * (other[:, 0] - one[:, 0]))
                yield task, method, ratio, _points(gains[-1], whole)
        if gains:
            yield task, ALL, ALL, _points(np.mean(gains, axis=0), whole)


def _points(gain: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> Estimate:
    return statistics.share(np.stack([gain, whole[:, 0]], axis=1))
