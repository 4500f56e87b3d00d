"""The first table of docs/results.md: what the default policy sends, with the ratio that was really reached."""

from __future__ import annotations

from collections.abc import Iterator

from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.reporting.results import REALISED, Results
from moosproxy.compressor.evaluation.reporting.tables import estimate, headline_measure, rows
from moosproxy.compressor.evaluation.tasks import TASKS

BESIDE = ("BM25 sentences", "llmslim", "moosproxy, task-agnostic", "moosproxy, question-aware")

_ABOVE = """## What the default policy sends

What must survive, in percent; in brackets the ratio that the whole texts really came to. Protection and marks are
on, units stay or go whole: no setting of a laboratory."""


def headline(results: Results) -> str:
    """Every task but reference shortenings: the default policy, and whole sentences of others beside it."""
    tasks = [task for task in results.tasks(TASKS) if not TASKS[task].own_rate]
    ratios = max((results.ratios(task) for task in tasks), key=len, default=[])
    table = rows(
        ["task", "what must survive", "method", *(f"{ratio}x" for ratio in ratios)], _lines(results, tasks, ratios)
    )
    return f"{_ABOVE}\n\n{table}"


def _lines(results: Results, tasks: list[str], ratios: list[str]) -> Iterator[list[str]]:
    for task in tasks:
        measure = headline_measure(results, task)
        for method in BESIDE:
            found = [
                (estimate(results, task, method, ratio, measure), estimate(results, task, method, ratio, REALISED))
                for ratio in ratios
            ]
            if any(one for one, _ in found):
                yield [task, measure, method, *(_cell(*pair) for pair in found)]


def _cell(kept: Estimate | None, reached: Estimate | None) -> str:
    if kept is None or reached is None:
        return "–"
    return f"{100 * kept.value:.1f} ({reached.value:.2f}x)"
