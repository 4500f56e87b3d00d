"""Agents: values that a later tool call needs (tau-bench), names of the right tool (BFCL)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.measures.critical import survival as critical_survival
from moosproxy.compressor.evaluation.measures.item import Item, Shortened, Task
from moosproxy.compressor.evaluation.measures.offsets import Survival
from moosproxy.compressor.evaluation.measures.statistics import Counts

TOOL_RECORDS = 60


def load_dialogues(data: Path, limit: int | None) -> list[Item]:
    """One item per user or tool message of some length that holds a value which a later call needs."""
    items = []
    for row in records.read(data, "eval/agent_tau_airline", limit):
        for number, message in enumerate(row["messages"]):
            content = message.get("content")
            if message["role"] not in ("user", "tool") or not isinstance(content, str) or len(content) < 200:
                continue
            needed = {str(n["value"]) for n in row["needed_values"] if n["call"] > number}
            values = sorted(value for value in needed if value in content)
            if values:
                items.append(Item(row["id"], content, facts={"values": values, "json": _is_json(content)}))
    return items


def load_tools(data: Path, limit: int | None) -> list[Item]:
    """Tool descriptions as JSON text, the user's request as the question."""
    rows = list(records.read(data, "eval/tools_bfcl"))[::4][: min(TOOL_RECORDS, limit or TOOL_RECORDS)]
    return [
        Item(
            row["id"],
            row["tools_json"],
            row["messages"][-1]["content"],
            facts={"values": row["needed_names"], "json": _is_json(row["tools_json"])},
        )
        for row in rows
    ]


def measure(item: Item, short: Shortened) -> Mapping[str, Counts]:
    """values: needed values or names that still stand in the text. valid json: where the original was JSON."""
    values = item.facts["values"]
    counts: dict[str, Counts] = {"values": (float(sum(v in short.text for v in values)), float(len(values)))}
    if item.facts["json"]:
        counts["valid json"] = (float(_is_json(short.text)), 1.0)
    return counts | critical_survival(item.text, Survival(short.kept))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


TASKS = (
    Task("tau", "values that later tool calls need (tau-bench airline)", "values", load_dialogues, measure),
    Task("bfcl", "names of the right tool among many (BFCL)", "values", load_tools, measure),
)
