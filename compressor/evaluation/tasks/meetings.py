"""Meetings: are the words that a reference answer needs still there?"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.critical import survival as critical_survival
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.lexicon import is_stop
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.text import words

QUERIES = 2
MEETINGS = 20


def load(data: Path, limit: int | None, *, name: str) -> list[Item]:
    """The first MEETINGS meetings, each with its first QUERIES specific queries."""
    items = []
    for row in records.read(data, f"eval/{name}", min(MEETINGS, limit or MEETINGS)):
        transcript = row["transcript"]
        present = _content(transcript)
        specific = [query for query in row["queries"] if query["kind"] == "specific"][:QUERIES]
        for number, query in enumerate(specific):
            needed = _content(query["answer"]) & present
            facts = {"needed": needed, "first": number == 0}
            items.append(Item(row["id"], transcript, query["query"], (query["answer"],), facts))
    return items


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """content: of the reference answer's content words that the meeting holds, how many are still there."""
    needed = item.facts["needed"]
    counts: dict[str, Counts] = {"content": (float(len(needed & _content(short.text))), float(len(needed)))}
    if item.facts["first"]:
        counts.update(critical_survival(item.text, Survival(short.kept)))
    return counts


def _content(text: str) -> frozenset[str]:
    starts, ends = words.find(text)
    found = {text[s:e].lower() for s, e in zip(starts, ends, strict=True)}
    return frozenset(word for word in found if not is_stop(word))


TASKS = tuple(
    Task(
        name=name,
        what=f"content words of reference answers about meetings (QMSum {part})",
        headline="content",
        load=functools.partial(load, name=name),
        measure=measure,
    )
    for name, part in (("qmsum_val", "validation"), ("qmsum_test", "test"))
)
