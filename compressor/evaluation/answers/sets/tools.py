"""A tool's result and the argument of the call that the agent makes next (tau-bench)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moosproxy.compressor import records
from moosproxy.compressor.evaluation.answers import scores
from moosproxy.compressor.evaluation.answers.base import Question, QuestionSet

BLOCK = 4
LEAST = 600
"""Characters of a result: shorter ones are left alone."""
_ORDER = "You are an agent. Say the value of the argument and nothing else."


def load(data: Path, limit: int) -> list[Question]:
    """At most two calls of a dialogue, each with the last long result that holds the argument."""
    found: list[Question] = []
    for row in records.read(data, "eval/agent_tau_airline"):
        for number, (text, wish, call, name, value) in enumerate(list(_calls(row))[:2]):
            ask = f"The customer says: {wish}\nThe next call is {call}. Its argument {name}:"
            place = len(found) // BLOCK
            found.append(Question(f"{row['id']}-{number}", place, row["id"], text, wish, ask, (value,), _ORDER))
        if len(found) >= limit:
            break
    return found[:limit]


def _calls(row: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """The result, what the user said last, the tool, the argument's name and its value."""
    messages = row["messages"]
    seen: set[str] = set()
    for needed in row["needed_values"]:
        value, at = str(needed["value"]), int(needed["call"])
        wish = next((m["content"] for m in reversed(messages[:at]) if m["role"] == "user" and m["content"]), None)
        result = next((str(m["content"]) for m in reversed(messages[:at]) if _holds(m, value)), None)
        called = _named(messages[at], value)
        if result and wish and called and value not in seen:
            seen.add(value)
            yield result, wish, *called, value


def _holds(message: dict[str, Any], value: str) -> bool:
    content = message.get("content")
    return message["role"] == "tool" and isinstance(content, str) and len(content) >= LEAST and value in content


def _named(message: dict[str, Any], value: str) -> tuple[str, str] | None:
    for call in message.get("tool_calls") or []:
        arguments = json.loads(call["function"]["arguments"])
        for name, given in arguments.items():
            if str(given) == value:
                return call["function"]["name"], name
    return None


SETS = (
    QuestionSet(
        "tools",
        "a tool's result, then the argument of the next call (tau-bench airline)",
        load,
        scores.short,
        "contained",
        size=60,
        quick=4,
        ratios=(2.0,),
    ),
)
