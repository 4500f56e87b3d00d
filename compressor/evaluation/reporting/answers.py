"""What docs/results.md leads with: answers of real language models. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.evaluation.answers.conditions import FULL, NOTHING
from moosproxy.compressor.evaluation.answers.outcome import CAUSES, SAME, SECONDS, SENT, SETS, Failure
from moosproxy.compressor.evaluation.answers.sets import every
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.evaluation.reporting.results import REALISED, Results
from moosproxy.compressor.evaluation.reporting.tables import rows

OURS = ("moosproxy, question-aware", "moosproxy, task-agnostic")
_WORDS = ", words"

_ABOVE = """## Answers of real models

Written by `moos eval answers` and `moos eval report`. A language model answers from the full text and from what is
left of it, greedily, with its own template. Every method is asked for the same number of **the model's own
tokens**: loose words give it, whole sentences come near it, and where the ratio that was reached is another one,
it stands in brackets. Figures are percentages of the full text's score with 95% intervals (paired bootstrap over
texts). Nothing was tuned on these sets."""


def section(several: Sequence[Results]) -> str:
    """One part for each model."""
    return "\n\n".join([_ABOVE, *(_model(results) for results in several)]) if several else ""


def _model(results: Results) -> str:
    facts = results.facts
    parts = [f"### {facts['model']}", _overview(results)]
    parts += [_set(results, name) for name in every() if name in results.sums]
    return "\n\n".join(parts)


def _told(results: Results, name: str) -> str:
    facts = results.facts.get(SETS, {}).get(name, results.facts)
    recipe = f", LLMLingua-2 recipe `{facts['rival']}`" if facts.get("rival") else ""
    return f"Checkpoint `{facts['checkpoint']}`{recipe}, commit `{facts['commit']}`."


def _overview(results: Results) -> str:
    """The default policy alone, every set."""
    names = [name for name in every() if name in results.sums]
    ratios = max((_ratios(results, name) for name in names), key=len, default=[])

    def lines() -> Iterator[list[str]]:
        for name in names:
            about = every()[name]
            for method in OURS:
                cells = [_kept(results, name, method, ratio) for ratio in ratios]
                if any(cell != "–" for cell in cells):
                    yield [about.what, method.removeprefix("moosproxy, "), str(_questions(results, name)), *cells]

    table = rows(["what is asked about", "mode", "questions", *(f"{ratio}x" for ratio in ratios)], lines())
    return f"What the default policy sends, share of the full text's score:\n\n{table}"


def _questions(results: Results, name: str) -> int:
    table = results.table(name, FULL, "1", SENT)
    return int(table[:, 1].sum()) if table is not None else 0


def _ratios(results: Results, name: str) -> list[str]:
    return [ratio for ratio in results.ratios(name) if float(ratio) > 1]


def _set(results: Results, name: str) -> str:
    about = every()[name]
    measures = [
        measure for measure in results.sums[name][FULL]["1"] if measure not in (SENT, SECONDS, REALISED, SAME)
    ]
    absolute = ", ".join(
        f"{measure} {100 * _share(results, name, FULL, '1', measure):.1f} "
        f"({100 * _share(results, name, NOTHING, '0', measure):.1f} from nothing)"
        for measure in measures
    )
    ratios = _ratios(results, name)
    cost = _share(results, name, FULL, "1", SENT), _share(results, name, FULL, "1", SECONDS)
    lines = [
        f"#### {name}: {about.what}",
        "",
        f"{_questions(results, name)} questions about {len(results.sums[name][FULL]['1'][SENT])} texts; "
        f"{cost[0]:.0f} tokens and {cost[1]:.1f} s each in full. Full text: {absolute}. {_told(results, name)}",
        "",
        f"Share of the full text's {about.headline}:",
        "",
        _table(results, name, ratios),
        "",
        "Right from the full text, and still right:",
        "",
        rows(
            ["method", *(f"{ratio}x" for ratio in ratios)],
            (
                [method, *(_plain(results, name, method, ratio) for ratio in ratios)]
                for method in _methods(results, name)
            ),
        ),
    ]
    if not all(method.startswith("moosproxy") for method in _methods(results, name)):
        lines += [
            "",
            "Points above the best other way to leave out text, paired by text:",
            "",
            _above(results, name),
        ]
    return "\n".join(lines)


def _methods(results: Results, name: str) -> list[str]:
    return [method for method in results.methods(name) if method not in (FULL, NOTHING)]


def _table(results: Results, name: str, ratios: Sequence[str]) -> str:
    return rows(
        ["method", *(f"{ratio}x" for ratio in ratios)],
        ([method, *(_kept(results, name, method, r) for r in ratios)] for method in _methods(results, name)),
    )


def _share(results: Results, name: str, method: str, ratio: str, measure: str) -> float:
    table = results.table(name, method, ratio, measure)
    return float("nan") if table is None else float(table[:, 0].sum() / table[:, 1].sum())


def _kept(results: Results, name: str, method: str, ratio: str) -> str:
    measure = every()[name].headline
    sums, ceiling = results.table(name, method, ratio, measure), results.table(name, FULL, "1", measure)
    if sums is None or ceiling is None or not ceiling[:, 0].sum():
        return "–"
    reached = results.table(name, method, ratio, REALISED)
    return _cell(statistics.share_kept(sums, ceiling)) + _reached(reached, float(ratio))


def _reached(sums: npt.NDArray[np.float64] | None, ratio: float) -> str:
    """Said where it is not the one that was meant, within a fiftieth."""
    if sums is None:
        return ""
    reached = float(sums[:, 0].sum() / sums[:, 1].sum())
    return f" ({reached:.2f}x)" if abs(reached / ratio - 1) > 0.02 else ""


def _plain(results: Results, name: str, method: str, ratio: str) -> str:
    sums = results.table(name, method, ratio, SAME)
    return "–" if sums is None or not sums[:, 1].sum() else _cell(statistics.share(sums))


def _cell(found: Estimate) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _above(results: Results, name: str) -> str:
    ratios = _ratios(results, name)
    others = [method for method in _methods(results, name) if not method.startswith("moosproxy")]
    return rows(
        ["mode", *(f"{ratio}x" for ratio in ratios)],
        (
            [
                method.removeprefix("moosproxy, "),
                *(_gain(results, name, method, others, ratio) for ratio in ratios),
            ]
            for method in OURS
            if method in results.methods(name)
        ),
    )


def _gain(results: Results, name: str, method: str, others: Sequence[str], ratio: str) -> str:
    measure = every()[name].headline
    ours = results.table(name, method, ratio, measure)
    found = [(other, results.table(name, other, ratio, measure)) for other in others]
    rivals = [(other, table) for other, table in found if table is not None]
    if ours is None or not rivals:
        return "–"
    best, table = max(rivals, key=lambda pair: float(pair[1][:, 0].sum() / pair[1][:, 1].sum()))
    gain = statistics.difference(ours, table)
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] ({best})"


def failures(lost: Sequence[tuple[str, Sequence[Failure]]]) -> str:
    """docs/failures.md: by model and cause."""
    parts = [
        "# What shortening cost\n\nQuestions that a model answers from the full text and not from what the "
        "default policy, told the question, leaves of it; at the lowest ratio at which the answer was lost. "
        "Written by `moos eval report`. Questions and answers are of the sets that [results.md](results.md) names."
    ]
    for model, several in lost:
        parts.append(f"## {model}")
        for cause, what in CAUSES.items():
            mine = [one for one in several if one.cause == cause]
            if mine:
                parts.append(
                    f"### {cause[0].upper()}{cause[1:]}: {len(mine)} of {len(several)}\n\n{what}\n\n{_lost(mine)}"
                )
    return "\n\n".join(parts) + "\n"


def _lost(several: Sequence[Failure]) -> str:
    return rows(
        ["set", "ratio", "question", "right", "from the full text", "from the shortened text"],
        (
            [one.set, f"{one.ratio:g}x", *map(_clean, (one.question, one.gold, one.full, one.short))]
            for one in several
        ),
    )


def _clean(text: str) -> str:
    one_line = " ".join(text.replace("|", "\\|").split())
    return one_line if len(one_line) <= 160 else one_line[:159] + "…"
