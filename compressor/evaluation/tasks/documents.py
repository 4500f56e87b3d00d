"""Twenty passages and one question: does the answer survive one budget over all of them?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.answers import survives
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts

RECORDS = 166


def load(data: Path, limit: int | None) -> list[Item]:
    """Every record once: the passages in file order under numbered headings, the question apart."""
    items = []
    rows = list(records.read(data, "eval/nq_multidoc_20"))
    step = max(1, len(rows) // RECORDS)
    for row in rows[:: step if step > 1 else 1][: min(RECORDS, limit or RECORDS)]:
        text, gold = "", (0, 0)
        for number, doc in enumerate(row["docs"], 1):
            text += f"Document [{number}] (Title: {doc['title']}) "
            if doc["is_gold"]:
                gold = (len(text), len(text) + len(doc["text"]))
            text += doc["text"].strip() + "\n\n"
        facts = {"gold": gold}
        items.append(Item(row["id"], text.rstrip(), row["question"] + "?", tuple(row["answers"]), facts))
    return items


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """intact: a gold answer stands unbroken anywhere. gold: share of the gold passage's characters kept."""
    start, end = item.facts["gold"]
    return {
        "intact": (survives(item.golds, short.text), 1.0),
        "gold passage": (Survival(short.kept).share(start, end), 1.0),
    }


TASKS = (
    Task(
        name="nq_multidoc_20",
        what="the answer among 20 passages (Natural Questions)",
        headline="intact",
        load=load,
        measure=measure,
    ),
)
