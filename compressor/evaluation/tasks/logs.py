"""System logs: do the rare events survive, and the parameters of what survives?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.critical import survival as critical_survival
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts

RECORDS = 67
# A line counts as kept when at least this share of its characters is.
KEPT = 0.5


def load(data: Path, limit: int | None) -> list[Item]:
    """Every third record of the file: ten systems, 100 lines each."""
    rows = list(records.read(data, "eval/logs"))[::3][: min(RECORDS, limit or RECORDS)]
    return [
        Item(row["id"], row["text"], facts={"lines": row["lines"], "rare": set(row["rare_events"])})
        for row in rows
    ]


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """rare: lines of rare events kept. params: parameters of kept lines whole. levels: severities likewise."""
    survival = Survival(short.kept)
    rare, params, levels = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    for line in item.facts["lines"]:
        start, end = line["start"], line["end"]
        kept = survival.share(start, end) >= KEPT
        if line["event"] in item.facts["rare"]:
            rare[0] += kept
            rare[1] += 1
        if not kept:
            continue
        for total, values in ((params, line["params"]), (levels, [line["level"]])):
            whole, found = survival.count(_locate(item.text, start, end, values))
            total[0] += whole
            total[1] += found
    counts: dict[str, Counts] = {
        "rare events": (rare[0], rare[1]),
        "params of kept lines": (params[0], params[1]),
        "levels of kept lines": (levels[0], levels[1]),
    }
    return counts | critical_survival(item.text, survival)


def _locate(text: str, start: int, end: int, values: list[str | None]) -> list[tuple[int, int]]:
    """Where the values stand in the line, in order."""
    spans, at = [], start
    for value in values:
        if not value:
            continue
        found = text.find(value, at, end)
        if found < 0:
            found = text.find(value, start, end)
        if found >= 0:
            spans.append((found, found + len(value)))
            at = found + len(value)
    return spans


TASKS = (
    Task(
        name="logs",
        what="lines of rare events in system logs (LogHub)",
        headline="rare events",
        load=load,
        measure=measure,
        extra={"params of kept lines": "parameters of kept lines", "levels of kept lines": "severities"},
    ),
)
