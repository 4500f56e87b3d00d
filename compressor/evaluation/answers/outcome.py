"""What a run came to, as a file: sums per text for tables, and questions that shortening cost an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Question
from moosproxy.compressor.evaluation.answers.conditions import FULL, NOTHING
from moosproxy.compressor.evaluation.answers.run import Answered, SetResult
from moosproxy.compressor.evaluation.measures.answers import normalise, survives
from moosproxy.compressor.evaluation.reporting.results import REALISED, Results

SAME = "same"
"""Of the questions answered right from the full text, the share answered right from the shortened one."""
SENT, SECONDS = "tokens sent", "seconds"
SETS = "sets"
"""Of the facts: by set, with what and when it was measured last."""
_OF_A_SET = ("checkpoint", "rival", "commit")
_RIGHT = 0.5
"""Of the headline score: an answer that reaches this is right."""
_TOLD = "moosproxy, question-aware"
_MOST = 30


@dataclass(frozen=True)
class Failure:
    """An answer that was lost on the way. cause: one of CAUSES."""

    set: str
    ratio: float
    cause: str
    question: str
    gold: str
    full: str
    short: str


GONE, APART, OTHER, NONE = "left out", "torn from what it belongs to", "worded otherwise", "no answer"
CAUSES = {
    GONE: "The words of the answer are not in the shortened text.",
    APART: "The words are there, but the model answers something else.",
    OTHER: "The model's words overlap with the right ones, and are not the same.",
    NONE: "The model says nothing, or that the text does not say.",
}


def results_of(found: Sequence[SetResult], facts: dict[str, Any]) -> Results:
    """Sums by text, as every table of an evaluation wants them."""
    out = Results(facts)
    for one in found:
        for answered in one.answered:
            _add(out, one, answered)
        for mine in _by_question(one):
            _same(out, one, mine)
    return out


def _add(out: Results, one: SetResult, answered: Answered) -> None:
    case = answered.case
    ratio, group = f"{case.ratio:g}", case.question.group
    for name, value in answered.scores.items():
        out.add(one.about.name, case.method, ratio, name, group, (value, 1.0))
    out.add(one.about.name, case.method, ratio, SENT, group, (answered.reply.tokens, 1.0))
    out.add(one.about.name, case.method, ratio, SECONDS, group, (answered.reply.seconds, 1.0))
    if case.after:
        out.add(one.about.name, case.method, ratio, REALISED, group, (float(case.before), float(case.after)))


def _by_question(one: SetResult) -> Iterator[list[Answered]]:
    for _, mine in groupby(one.answered, key=lambda answered: answered.case.question.id):
        yield list(mine)


def _right(one: SetResult, answered: Answered) -> bool:
    scores = answered.scores
    return scores.get("contained", 0.0) > 0 or scores[one.about.headline] >= _RIGHT


def _same(out: Results, one: SetResult, mine: list[Answered]) -> None:
    full = next(answered for answered in mine if answered.case.method == FULL)
    if not _right(one, full):
        return
    for answered in mine:
        case = answered.case
        counts = (float(_right(one, answered)), 1.0)
        out.add(one.about.name, case.method, f"{case.ratio:g}", SAME, case.question.group, counts)


def failures(found: Sequence[SetResult]) -> list[Failure]:
    """Questions that the full text answers and the default policy's text does not, a few of each set in turn."""
    by_set = [list(_lost(one)) for one in found]
    out: list[Failure] = []
    for at in range(max(map(len, by_set), default=0)):
        out += [lost[at] for lost in by_set if at < len(lost)]
    order = list(CAUSES)
    return sorted(out[:_MOST], key=lambda failure: order.index(failure.cause))


def _lost(one: SetResult) -> Iterator[Failure]:
    for mine in _by_question(one):
        full = next(answered for answered in mine if answered.case.method == FULL)
        guess = next(answered for answered in mine if answered.case.method == NOTHING)
        ours = [answered for answered in mine if answered.case.method == _TOLD]
        wrong = [answered for answered in ours if not _right(one, answered)]
        if wrong and _right(one, full) and not _right(one, guess):
            answered = min(wrong, key=lambda answered: answered.case.ratio)
            yield _failure(one.about.name, answered, full.reply.answer)


def _failure(name: str, answered: Answered, full: str) -> Failure:
    question: Question = answered.case.question
    short = answered.reply.answer
    asked = question.question or question.ask
    return Failure(name, answered.case.ratio, _cause(answered), asked, question.golds[0], full, short)


def _cause(answered: Answered) -> str:
    case, answer = answered.case, answered.reply.answer
    if not survives(case.question.golds, case.sent or ""):
        return GONE
    words = set(normalise(answer))
    if (
        not words
        or {"not", "mentioned"} <= words
        or {"not", "specified"} <= words
        or {"no", "information"} <= words
    ):
        return NONE
    return OTHER if any(words & set(normalise(gold)) for gold in case.question.golds) else APART


def save(folder: Path, results: Results, lost: Sequence[Failure]) -> None:
    """Writes results.json and failures.json. Sets that were not asked in full keep what an earlier run found."""
    results.facts[SETS] = dict.fromkeys(results.sums, _dated(results.facts))
    if (folder / "results.json").exists():
        former = Results.load(folder / "results.json")
        kept = former.sums.keys() - results.sums.keys()
        results.sums |= {name: former.sums[name] for name in kept}
        dates = former.facts.get(SETS, {})
        results.facts[SETS] |= {name: dates.get(name) or _dated(former.facts) for name in kept}
        lost = [*lost, *(one for one in load_failures(folder) if one.set in kept)]
    results.save(folder / "results.json")
    (folder / "failures.json").write_bytes(orjson.dumps([asdict(one) for one in lost], option=orjson.OPT_INDENT_2))


def _dated(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: facts.get(key) for key in _OF_A_SET}


def load_failures(folder: Path) -> list[Failure]:
    """Reads what `save` wrote. Raises CompressorError."""
    try:
        return [Failure(**one) for one in orjson.loads((folder / "failures.json").read_bytes())]
    except (OSError, ValueError, TypeError) as fault:
        raise CompressorError(f"no failures at {folder}: {fault}; run `moos eval answers` first") from None
