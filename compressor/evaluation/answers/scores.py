"""How an answer is scored: exact match, token F1, whether it holds a right answer, ROUGE-L."""

from __future__ import annotations

from moosproxy.compressor.evaluation.answers.base import Question, Scores
from moosproxy.compressor.evaluation.measures import answers
from moosproxy.compressor.evaluation.measures.lexicon import is_stop
from moosproxy.compressor.evaluation.tasks.reasoning import solved


def short(answer: str, question: Question) -> Scores:
    """For answers of a few words."""
    return {
        "f1": answers.f1(answer, question.golds),
        "em": answers.exact_match(answer, question.golds),
        "contained": answers.survives(question.golds, answer),
    }


def long(answer: str, question: Question) -> Scores:
    """For answers of some sentences: ROUGE-L against the best reference, and its content words."""
    return {
        "rouge-l": max((rouge_l(answer, gold) for gold in question.golds), default=0.0),
        "content": max((_content(answer, gold) for gold in question.golds), default=0.0),
    }


def final(answer: str, question: Question) -> Scores:
    """For worked solutions: the final answer alone counts."""
    return {"solved": max(solved(answer, gold) for gold in question.golds)}


def rouge_l(answer: str, reference: str) -> float:
    """F1 of the longest common subsequence of normalised words (Lin 2004, beta 1)."""
    mine, theirs = answers.normalise(answer), answers.normalise(reference)
    common = _common(mine, theirs)
    return 2 * common / (len(mine) + len(theirs)) if common else 0.0


def _common(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for one in a:
        above = 0
        for at, other in enumerate(b, 1):
            above, row[at] = row[at], above + 1 if one == other else max(row[at], row[at - 1])
    return row[-1]


def _content(answer: str, reference: str) -> float:
    """Of the reference's content words, the share that the answer holds."""
    needed = {word for word in answers.normalise(reference) if not is_stop(word)}
    return len(needed & set(answers.normalise(answer))) / len(needed) if needed else 0.0
