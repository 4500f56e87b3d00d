"""Source code, bare and inside a fence: names at their definitions, and lines that were not torn."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts

RECORDS = 25
_LINE = re.compile(r"[^\S\n]*(\S[^\n]*)")


def load(data: Path, limit: int | None, *, fenced: bool) -> list[Item]:
    """Python files with known definitions."""
    rows = [row for row in records.read(data, "eval/code") if row.get("symbols")]
    items = []
    for row in rows[: min(RECORDS, limit or RECORDS)]:
        before, after = ("Please review this file.\n\n```python\n", "\n```\n") if fenced else ("", "")
        text = before + row["text"] + after
        names = [(s["name"], s["start"] + len(before)) for s in row["symbols"]]
        items.append(Item(row["id"], text, facts={"names": names, "fence": len(before)}))
    return items


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """names: definitions whose name is whole. lines: kept lines of which nothing is missing."""
    survival = Survival(short.kept)
    names = []
    for name, start in item.facts["names"]:
        at = item.text.find(name, start)
        names.append((at, at + len(name)))
    touched = whole = 0
    for match in _LINE.finditer(item.text):
        share = survival.share(match.start(1), match.start(1) + len(match.group(1).rstrip()))
        touched += share > 0
        whole += share == 1
    return {"names": survival.count(names), "whole lines": (float(whole), float(touched))}


TASKS = tuple(
    Task(
        name=name,
        what=f"names of definitions in Python files, {how}",
        headline="names",
        load=functools.partial(load, fenced=fenced),
        measure=measure,
    )
    for name, how, fenced in (("code", "bare", False), ("code_fenced", "in a fenced block", True))
)
