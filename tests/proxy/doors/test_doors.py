"""What holds for every door, those of tomorrow included."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moosproxy.proxy.bodies.parts import replaced
from moosproxy.proxy.bodies.splice import splice
from moosproxy.proxy.doors import BY_PATH, DOORS, ROOTS, door_of, name_of
from moosproxy.proxy.doors.base import OTHER, Door, words
from moosproxy.proxy.rewriting.conversation import asked_before

TEXTED = [door for door in DOORS if door.texts is not None]
by_door = pytest.mark.parametrize("door", TEXTED, ids=lambda door: door.root)

NAMES = st.sampled_from(
    [
        *("role", "content", "text", "type", "input", "output", "prompt", "messages", "system", "instructions"),
        *("tool_call_id", "call_id", "id", "name", "arguments", "tool_calls", "function", "source", "data"),
        *("citations", "annotations", "outcome", "stdout", "tool_use_id", "action", "model"),
    ]
)
KINDS = st.sampled_from(
    [
        *("text", "input_text", "output_text", "message", "function_call", "function_call_output", "mcp_call"),
        *("shell_call_output", "tool_result", "tool_use", "document", "search_result", "content", "user", "tool"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | KINDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=30,
)
BODIES = st.dictionaries(NAMES, ANYTHING, max_size=6)


def at(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        body = body[step]
    return body


@by_door
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES)
def test_whatever_comes_each_text_lies_where_it_is_said_to_and_can_be_changed_there_alone(
    door: Door, body: dict[str, Any]
) -> None:
    before = copy.deepcopy(body)
    parts = door.find(body)
    assert len(asked_before(door, body, parts)) == len(parts)
    assert len({part.path for part in parts}) == len(parts)
    assert all(at(body, part.path) is part.text for part in parts)
    changes = {part.path: f"<{number}>" for number, part in enumerate(parts)}
    changed = replaced(body, changes)
    assert json.loads(splice(json.dumps(body).encode(), changes)) == changed
    assert all(at(changed, path) == text for path, text in changes.items())
    assert body == before
    assert replaced(changed, {part.path: part.text for part in parts}) == body


@by_door
def test_a_hundred_thousand_entries_take_no_more_than_a_hundred_times_a_thousand(door: Door) -> None:
    content = [{"type": "text", "text": "a b"}, {"type": "input_text", "text": "c"}]
    entry = {"role": "user", "type": "message", "content": content}

    def seconds(body: dict[str, Any]) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            asked_before(door, body, door.find(body))
            times.append(time.process_time() - began)
        return min(times)

    def flat(count: int) -> dict[str, Any]:
        return {door.main: [entry] * count if door.main != "prompt" else ["a b"] * count}

    def deep(count: int) -> dict[str, Any]:
        return {door.main: [{**entry, "content": content * count}]}

    assert seconds(flat(100_000)) < 400 * max(seconds(flat(1_000)), 0.002)
    assert seconds(deep(100_000)) < 400 * max(seconds(deep(1_000)), 0.002)


def test_doors_are_found_with_their_paths_and_do_not_share_any() -> None:
    assert {"chat", "completions", "embeddings", "messages", "models", "responses"} <= set(ROOTS)
    assert len(BY_PATH) == sum(len(door.paths) for door in DOORS)
    for door in DOORS:
        assert door.pages
        assert all(path.split("/")[1] == door.root for path in door.paths)
        assert all(page.startswith(f"/v1/{door.root}") for page in door.pages)
        assert all(f"/v1{path}" in door.pages for path in door.paths)


def test_paths_below_a_door_are_its_own_and_names_are_few() -> None:
    assert door_of("/messages/batches") is ROOTS["messages"]
    assert door_of("/files") is door_of("") is OTHER
    assert name_of("/responses") == "/responses"
    assert name_of("/responses/resp_1") == "/responses/*"
    assert name_of("/models") == "/models"
    assert name_of("/files/f") == "other"


def test_words_of_a_call_are_those_of_its_json_and_bounded() -> None:
    assert words('{"path": "src/app.py", "n": [1, 2]}') == words({"path": "src/app.py", "n": [1, 2]})
    nested: Any = "deep"
    for _ in range(100_000):
        nested = [nested]
    assert words(nested) == "deep"
    assert len(words({"a": "x " * 1000, "b": ["y"] * 1000})) <= 300
    assert words(None) == words({}) == ""
