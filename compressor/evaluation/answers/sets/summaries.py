"""Summaries of paragraphs, judged by the questions that are answered from the summary alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet
from moosproxy.compressor.evaluation.answers.sets import paragraphs

_ORDER = "Sum up the text in three sentences. Keep names, numbers and dates."
_ENOUGH = 96
"""Tokens of a summary."""


def load(data: Path, limit: int) -> list[Question]:
    """One summary a paragraph, and the paragraph's questions behind it; `limit` counts those."""
    asked = paragraphs.load(data, limit, name="squad_dev")
    by_text: dict[str, list[Question]] = {}
    for question in asked:
        by_text.setdefault(question.group, []).append(question)
    return [_summary(several) for several in by_text.values()]


def _summary(several: list[Question]) -> Question:
    """Nobody tells the compressor what will be asked."""
    first = several[0]
    behind = tuple(replace(each, id=f"digest-{each.id}", question=None) for each in several)
    return replace(
        first,
        id=f"digest-{first.group}",
        question=None,
        ask="Summary:",
        golds=(),
        order=_ORDER,
        tokens=_ENOUGH,
        line=False,
        behind=behind,
    )


SETS = (
    QuestionSet(
        "digests",
        "a summary of a paragraph, then questions about the summary (SQuAD 1.1 dev)",
        load,
        scores.short,
        "f1",
        size=60,
        quick=0,
    ),
)
