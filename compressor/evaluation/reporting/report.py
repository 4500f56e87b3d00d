"""docs/results.md from results.json: tables of shares with paired 95% intervals. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.reporting.headline import headline
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, REALISED, Results
from moosproxy.compressor.evaluation.reporting.tables import F1, estimate, headline_measure
from moosproxy.compressor.evaluation.reporting.tables import rows as table_of
from moosproxy.compressor.evaluation.tasks import TASKS

OURS = "moosproxy"
WORDS = ", words"
RIVAL = "LLMLingua-2 recipe"
CRITICAL = ("numbers", "ids", "severities", "negations")
SURVIVAL_RATIO = "3"

_PREFACE = """Written by `moos eval run` and `moos eval report`. Figures are percentages with 95% intervals (paired
bootstrap over texts, 1,000 draws). Every method gets the same budget in encoder pieces of the whole text; the
default policy may leave more, as the realised ratios say."""


def markdown(results: Results, plots: Sequence[str], answered: str = "", floored: str = "") -> str:
    """The whole document. answered: what language models answered, which comes first. floored: about floors."""
    parts = [
        f"# Results\n\n{answered}".rstrip(),
        _head(results),
        headline(results),
        *(f"![{name}](plots/{name})" for name in plots),
        floored,
    ]
    parts += [_task(results, name) for name in results.tasks(TASKS)]
    parts += [_critical(results), _paired(results), _realised(results), _method_notes()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(results: Results) -> str:
    facts = results.facts
    rows = [
        ("checkpoint", f"`{facts['checkpoint']}`{_trained(facts.get('training'))}"),
        (RIVAL, f"`{facts['rival']}`{_trained(facts.get('rival training'))}" if facts.get("rival") else "not run"),
        ("outlier score", facts.get("metric")),
        ("judge", facts.get("judge") or "none"),
        ("engine", facts.get("engine")),
        ("data", f"`{facts.get('data')}` (SHA-256 of SOURCES.json)"),
        ("commit", f"`{facts.get('commit')}`"),
        ("machine", facts.get("machine")),
        ("limit", facts.get("limit") or "none"),
    ]
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
    return f"## What is left of texts\n\n{_PREFACE}\n\n{table}"


def _trained(told: Mapping[str, Any] | None) -> str:
    """On how many tokens, over all runs that went on from one another."""
    tokens = 0
    while told:
        tokens += told.get("tokens", 0)
        told = told.get("before")
    return f", trained on {tokens / 1e6:.2g}M tokens" if tokens else ""


def _task(results: Results, name: str) -> str:
    task = TASKS[name]
    measured = results.sums[name].get(FULL_TEXT, {}).get("1", {})
    judged = F1 in measured
    measure = headline_measure(results, name)
    groups = len(measured.get(REALISED, {}))
    lines = [f"## {name}: {task.what}", ""]
    if judged:
        em, f1 = (statistics.share(_whole(results, name, measure)) for measure in ("em", F1))
        reached = f"EM {100 * em.value:.1f} and F1 {100 * f1.value:.1f}"
        lines += [f"{groups} texts. On the full text the judge reaches {reached}."]
        lines += ["Share of that F1 kept:", ""]
    else:
        lines += [f"{groups} texts. {measure}:", ""]
    lines.append(_table(results, name, measure))
    if judged:
        lines += ["", "Answer still intact in the text:", "", _table(results, name, "intact")]
    for measure, what in task.extra.items():
        lines += ["", f"{what}:", "", _table(results, name, measure)]
    if "solved" in measured:
        lines += ["", "Problems that the judge solves after the prompt:", "", _table(results, name, "solved")]
    languages = sorted(m for m in measured if m.startswith("intact ") and len(measured) > 5)
    if len(languages) > 1:
        lines += ["", f"By language, at ratio {SURVIVAL_RATIO}:", "", _by_measure(results, name, languages)]
    return "\n".join(lines)


def _whole(results: Results, task: str, measure: str) -> npt.NDArray[np.float64]:
    table = results.table(task, FULL_TEXT, "1", measure)
    assert table is not None
    return table


def _table(results: Results, task: str, measure: str) -> str:
    ratios = results.ratios(task)
    return table_of(
        ["method", *(f"{ratio}x" if ratio != "own" else "own rate" for ratio in ratios)],
        (
            [method, *(_cell(estimate(results, task, method, ratio, measure)) for ratio in ratios)]
            for method in results.methods(task)
            if method != FULL_TEXT
        ),
    )


def _by_measure(results: Results, task: str, measures: Sequence[str]) -> str:
    return table_of(
        ["method", *(measure.removeprefix("intact ") for measure in measures)],
        (
            [method, *(_cell(estimate(results, task, method, SURVIVAL_RATIO, measure)) for measure in measures)]
            for method in results.methods(task)
            if method != FULL_TEXT
        ),
    )


def _critical(results: Results) -> str:
    """Survival of critical words in kept sentences, for every task that measures it."""

    def rows() -> Iterator[list[str]]:
        for task in results.tasks(TASKS):
            for method in results.methods(task):
                cells = [_cell(estimate(results, task, method, SURVIVAL_RATIO, kind)) for kind in CRITICAL]
                if method != FULL_TEXT and any(cell != "–" for cell in cells):
                    yield [task, method, *cells]

    table = table_of(["task", "method", *CRITICAL], rows())
    return (
        f"## What kept sentences may not lose, at ratio {SURVIVAL_RATIO}\n\n"
        "Of the numbers, ids, severities and negations in sentences of which at least half of the content words "
        f"were kept, how many are whole.\n\n{table}"
    )


def _paired(results: Results) -> str:
    """Differences of our modes to the rival, paired by text."""

    def rows() -> Iterator[list[str]]:
        for task in results.tasks(TASKS):
            measure = headline_measure(results, task)
            for method in results.methods(task):
                if method.startswith(OURS) and method.endswith(WORDS):
                    yield [task, method, *(_difference(results, task, method, r, measure) for r in ratios)]

    ratios = max((results.ratios(task) for task in results.tasks(TASKS)), key=len, default=[])
    if not any(RIVAL in results.methods(task) for task in results.tasks(TASKS)):
        return ""
    table = table_of(["task", "method", *(f"{ratio}x" for ratio in ratios)], rows())
    return (
        f"## Points above the {RIVAL}\n\nDifference of each task's headline measure (absolute points, paired by "
        f"text), against the better of the rival's two variants.\n\n{table}"
    )


def _difference(results: Results, task: str, method: str, ratio: str, measure: str) -> str:
    ours = results.table(task, method, ratio, measure)
    rivals = [
        table
        for rival in results.methods(task)
        if rival.startswith(RIVAL) and (table := results.table(task, rival, ratio, measure)) is not None
    ]
    if ours is None or not rivals:
        return "–"
    best = max(rivals, key=lambda sums: float(sums[:, 0].sum() / sums[:, 1].sum()))
    found = statistics.difference(ours, best)
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _realised(results: Results) -> str:
    """What ratios came out."""

    def rows() -> Iterator[list[str]]:
        for task in results.tasks(TASKS):
            for method in results.methods(task):
                if method == FULL_TEXT:
                    continue
                found = [estimate(results, task, method, ratio, REALISED) for ratio in ratios]
                if any(found):
                    yield [task, method, *(f"{one.value:.2f}" if one else "–" for one in found)]

    ratios = max((results.ratios(task) for task in results.tasks(TASKS)), key=len, default=[])
    table = table_of(["task", "method", *(f"{ratio}x" for ratio in ratios)], rows())
    return (
        "## Realised ratios\n\nPieces before / pieces after, over all texts of a task, as the default policy "
        "sends them: in a short text that nobody asks about what holds a fact stays, and one sentence always."
        f"\n\n{table}"
    )


def _method_notes() -> str:
    return """## How to read this

- *full text*: the ceiling. *random words*, *head and tail*: the floors. *stop words and IDF*: stop words go first,
  then the words most texts hold. *BM25 sentences*: whole sentences by BM25 against the question. *llmslim*: the
  package of that name, sentences by TF-IDF against the question, asked until the whole text has the ratio.
- *LLMLingua-2 recipe*: the same encoder and data without questions, cross entropy alone, alpha = 1, and in each
  window of 510 pieces the words above its percentile; sentence marks and words with digits forced, as published,
  or nothing forced. How long it was trained stands above.
- *moosproxy*: through the product's own `Compressor`, as the default policy sends it: whole sentences, turns and
  rows, protection on, marks counted, the ratio as a user asks for it. What was really reached stands below.
- *words*: the paper's own selection (`unit: word`), single words with nothing protected, at exactly the ratio that
  is meant. It keeps more answers on short texts and turns sentences around; it is here for comparison.
- *task-agnostic*: no question is shown to the compressor. *question-aware*: the question is passed to it.
- Questions are drawn with a fixed seed where a set is larger than its share of the time; nothing was tuned on any
  of these sets.
- The judge is a small extractive reader trained on thinned contexts; no compressor was trained against it. Its
  absolute F1 says little, shares of its full-text F1 are what is portable."""


def _cell(found: Estimate | None) -> str:
    if found is None or found.value != found.value:
        return "–"
    return f"{100 * found.value:.1f} ({100 * found.low:.0f}–{100 * found.high:.0f})"
