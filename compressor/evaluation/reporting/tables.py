"""Cells and rows that the tables of docs/results.md share."""

from __future__ import annotations

from collections.abc import Iterable

from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, Results
from moosproxy.compressor.evaluation.tasks import TASKS

# The measure of judged answers: shown as a share of what the judge gets right on the full text.
F1 = "f1"


def estimate(results: Results, task: str, method: str, ratio: str, measure: str) -> Estimate | None:
    """The measure with its interval; F1 relative to the full text. None if it was not measured."""
    sums = results.table(task, method, ratio, measure)
    if sums is None or not sums[:, 1].sum():
        return None
    if measure != F1:
        return statistics.share(sums)
    ceiling = results.table(task, FULL_TEXT, "1", F1)
    return statistics.share_kept(sums, ceiling) if ceiling is not None else None


def headline_measure(results: Results, task: str) -> str:
    """What a task is told by: judged answers where a judge was there, else answers that are still intact."""
    headline = TASKS[task].headline
    if headline != F1:
        return headline
    return F1 if F1 in results.sums[task].get(FULL_TEXT, {}).get("1", {}) else "intact"


def rows(head: list[str], lines: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*out, *("| " + " | ".join(line) + " |" for line in lines)])
