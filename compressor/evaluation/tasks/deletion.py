"""Human deletions of single sentences: which words would an annotator have kept, at the annotator's own rate?"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts
from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.text import words

SENTENCES = 250
MIN_WORDS = 10


def load(data: Path, limit: int | None, *, name: str) -> list[Item]:
    """Sentences that the (first) annotator shortened by at least a tenth."""
    items = []
    for row in records.read(data, f"eval/{name}"):
        keep = row["keep"] if "keep" in row else row["keeps"][0]
        share = sum(e - s for s, e in keep) / max(len(row["text"]), 1)
        if len(row["text"].split()) >= MIN_WORDS and 0.1 < share < 0.9:
            facts = {"keep": [tuple(span) for span in keep], "ratio": 1 / share}
            items.append(Item(row["id"], row["text"], facts=facts))
        if len(items) == min(SENTENCES, limit or SENTENCES):
            break
    return items


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """Word F1 against the annotator's words."""
    starts, ends = words.find(item.text)
    mine, human = Survival(short.kept), Survival(KeptSpans(tuple(item.facts["keep"])))
    both = ours = theirs = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        a, b = mine.whole(start, end), human.whole(start, end)
        both, ours, theirs = both + (a and b), ours + a, theirs + b
    return {"word f1": (2.0 * both, float(ours + theirs))}


TASKS = tuple(
    Task(
        name=name,
        what=f"words that human annotators kept ({source})",
        headline="word f1",
        load=functools.partial(load, name=f"sentence_compression_{name}"),
        measure=measure,
        own_rate=True,
    )
    for name, source in (("google1000", "Google news sentences"), ("clarke_lapata", "Clarke and Lapata"))
)
