"""One paragraph, some questions: Wikipedia, privacy policies, six languages, and whole articles of Wikipedia."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet

PER_TEXT = 5
"""Questions of one paragraph: a model that reads it once answers them all."""
TEXTS = 2
"""Paragraphs in a block."""
LEAST = 400
"""Characters of a paragraph: below that a proxy leaves a text alone."""
ARTICLE = 3_000
"""Characters of an article."""


def load(data: Path, limit: int, *, name: str, languages: str = "") -> list[Question]:
    """Paragraphs in an order drawn once, each with its first questions."""
    rows = [
        row for row in records.read(data, f"eval/{name}") if len(row["context"]) >= LEAST // (1 + bool(languages))
    ]
    random.Random(0).shuffle(rows)
    if languages:
        rows = _by_turns(rows, languages.split())
    found: list[Question] = []
    for number, row in enumerate(rows):
        found += _questions(row, row["context"], number // TEXTS, PER_TEXT)
        if len(found) >= limit:
            break
    return found[:limit]


def _by_turns(rows: list[dict[str, Any]], languages: list[str]) -> list[dict[str, Any]]:
    """One of each language after the other."""
    by = [[row for row in rows if row["lang"] == language] for language in languages]
    return [row for several in zip(*by, strict=False) for row in several]


def _questions(row: dict[str, Any], text: str, block: int, most: int) -> Iterator[Question]:
    for number, qa in enumerate(row["qas"][:most]):
        golds = tuple(dict.fromkeys(answer["text"] for answer in qa["answers"]))
        name = f"{row['id']}-{number}"
        yield Question(name, block, row["id"], text, qa["question"], f"Question: {qa['question']}\nAnswer:", golds)


def articles(data: Path, limit: int) -> list[Question]:
    """Paragraphs of one article in their order around the one that is asked about, one question each."""
    rows = list(records.read(data, "eval/squad_dev"))
    dice = random.Random(1)
    places = dice.sample(range(len(rows)), min(limit, len(rows)))
    found = []
    for number, place in enumerate(places):
        row = rows[place]
        text = "\n\n".join(_around(rows, place, dice.random()))
        found += list(_questions({**row, "id": f"article-{row['id']}"}, text, number // 4, 1))
    return found


def _around(rows: list[dict[str, Any]], place: int, share: float) -> Iterable[str]:
    """Paragraphs of the same article, `share` of what is added before the one at the place."""
    first = last = place
    length = len(rows[place]["context"])
    while length < ARTICLE:
        before = first > 0 and rows[first - 1]["title"] == rows[place]["title"]
        behind = last + 1 < len(rows) and rows[last + 1]["title"] == rows[place]["title"]
        if not before and not behind:
            break
        if before and (not behind or (place - first) <= share * (last - first + 1)):
            first -= 1
            length += len(rows[first]["context"])
        else:
            last += 1
            length += len(rows[last]["context"])
    return (rows[at]["context"] for at in range(first, last + 1))


SETS = (
    QuestionSet(
        "squad",
        "one paragraph of Wikipedia (SQuAD 1.1 dev)",
        functools.partial(load, name="squad_dev"),
        scores.short,
        "f1",
        size=200,
        quick=20,
    ),
    QuestionSet(
        "policyqa",
        "one paragraph of a privacy policy (PolicyQA)",
        functools.partial(load, name="policyqa_test"),
        scores.short,
        "f1",
        size=200,
        quick=0,
    ),
    QuestionSet(
        "languages",
        "one paragraph in Arabic, German, Spanish, Russian or Chinese (XQuAD)",
        functools.partial(load, name="xquad", languages="ar de es ru zh"),
        scores.short,
        "f1",
        size=200,
        quick=0,
    ),
    QuestionSet(
        "articles",
        "some three thousand characters of a Wikipedia article (SQuAD 1.1 dev)",
        articles,
        scores.short,
        "f1",
        size=120,
        quick=8,
    ),
)
