"""Ten or twenty passages, one of which answers the question (Natural Questions)."""

from __future__ import annotations

import functools
import random
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet

BLOCK = 4


def load(data: Path, limit: int, *, passages: int) -> list[Question]:
    """Passages under numbered headings. Of fewer than there are, the right one stands anywhere among them."""
    rows = list(records.read(data, "eval/nq_multidoc_20"))
    random.Random(2).shuffle(rows)
    found = []
    for number, row in enumerate(rows[:limit]):
        gold = next(at for at, doc in enumerate(row["docs"]) if doc["is_gold"])
        place = gold * passages // len(row["docs"])
        others = [doc for doc in row["docs"] if not doc["is_gold"]][: passages - 1]
        docs = [*others[:place], row["docs"][gold], *others[place:]]
        text = "\n\n".join(
            f"Document [{at}] (Title: {doc['title']}) {doc['text'].strip()}" for at, doc in enumerate(docs, 1)
        )
        question = row["question"].strip().rstrip("?") + "?"
        ask = f"Question: {question}\nAnswer:"
        golds = tuple(row["answers"])
        found.append(Question(f"{row['id']}-{passages}", number // BLOCK, row["id"], text, question, ask, golds))
    return found


SETS = tuple(
    QuestionSet(
        f"passages{count}",
        f"one of {count} passages (Natural Questions)",
        functools.partial(load, passages=count),
        scores.short,
        "contained",
        size=size,
        quick=quick,
    )
    for count, size, quick in ((10, 120, 8), (20, 60, 0))
)
