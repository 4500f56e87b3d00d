"""Parts of meetings that answer a question, and abstracts to be summarised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet

BLOCK = 4
PART = 4_000
"""Characters of a meeting: the turns that answer, and others around them."""
_TELL = "Answer in one or two sentences, from what is said below."
_SUM_UP = "Say in one sentence what the text is about and what its main result is."


def meetings(data: Path, limit: int) -> list[Question]:
    """One question for each specific query of QMSum whose turns fit into a part."""
    found: list[Question] = []
    for row in records.read(data, "eval/qmsum_val"):
        for number, query in enumerate(row["queries"]):
            text = _part(row, query)
            if query["kind"] == "specific" and text:
                ask = f"Question: {query['query']}\nAnswer:"
                name = f"{row['id']}-{number}"
                block = len(found) // BLOCK
                golds = (query["answer"],)
                found.append(Question(name, block, row["id"], text, query["query"], ask, golds, _TELL, 64))
    return found[:limit]


def _part(row: dict[str, Any], query: dict[str, Any]) -> str | None:
    """The turns of the first relevant span, with turns on both sides until the part is full."""
    spans = query.get("relevant_spans") or []
    turns = row["utterances"]
    if len(spans) != 1:
        return None
    first, last = int(spans[0][0]), int(spans[0][1])
    if last >= len(turns) or turns[last]["end"] - turns[first]["start"] > PART:
        return None
    while turns[last]["end"] - turns[first]["start"] < PART and (first > 0 or last + 1 < len(turns)):
        first, last = max(0, first - 1), min(len(turns) - 1, last + 1)
    return str(row["transcript"][turns[first]["start"] : turns[last]["end"]])


def abstracts(data: Path, limit: int) -> list[Question]:
    """Abstracts of papers with sentences that sum them up; nothing is asked that a compressor could go by."""
    return [
        Question(
            row["id"], at // BLOCK, row["id"], row["text"], None, "Summary:", tuple(row["summaries"]), _SUM_UP, 64
        )
        for at, row in enumerate(records.read(data, "eval/extractive_sentences_test", limit))
    ]


SETS = (
    QuestionSet(
        "meetings",
        "a part of a meeting, answered in a sentence (QMSum)",
        meetings,
        scores.long,
        "rouge-l",
        size=60,
        quick=0,
    ),
    QuestionSet(
        "abstracts",
        "an abstract, summed up in a sentence (SciTLDR)",
        abstracts,
        scores.long,
        "rouge-l",
        size=60,
        quick=4,
    ),
)
