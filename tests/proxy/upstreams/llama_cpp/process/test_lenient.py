"""Schemas that no grammar can hold: what is left for the grammar, and what the check of the answer says."""

from __future__ import annotations

import json
import time
from typing import Any

import jsonschema
import pytest

from moosproxy.proxy.upstreams.local.faults import ModelFault
from tests.proxy import tiny_gguf

pytestmark = tiny_gguf.needs_llama_cpp

TAGS = {"type": "array", "items": {"type": "string"}}


def held(schema: Any) -> tuple[dict[str, Any] | None, bool]:
    """What the grammar holds, and whether it is less than all."""
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import _checked
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Loose

    loose = Loose()
    found = _checked(schema, "response_format", (), loose)
    return found, loose.answer is not None


def fault(schema: Any, value: Any) -> str | None:
    """Of an answer."""
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Afterwards, Loose

    loose = Loose()
    loose.add(schema, None)
    check = Afterwards(loose)
    for character in json.dumps(value):
        check.feed(character)
    return check.fault()


@pytest.mark.parametrize(
    ("schema", "good", "bad", "told"),
    [
        ({"properties": {"tags": {**TAGS, "uniqueItems": True}}}, {"tags": ["a", "b"]}, {"tags": ["a", "a"]},
         "$.tags: uniqueItems"),
        ({"properties": {"tags": {**TAGS, "contains": {"const": "x"}}}}, {"tags": ["x"]}, {"tags": ["a"]},
         "$.tags: contains"),
        ({"properties": {"a": {"type": "string", "not": {"const": "x"}}}}, {"a": "y"}, {"a": "x"}, "$.a: not"),
        ({"properties": {"a": {"type": "string", "pattern": "a(?=b)"}}}, {"a": "ab"}, {"a": "ac"}, "$.a: pattern"),
        ({"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 1}, {"a": 1},
         "$: dependentRequired"),
        ({"properties": {"a": {"type": "integer"}}, "if": {"required": ["a"]}, "then": {"required": ["c"]}},
         {"a": 1, "c": 2}, {"a": 1}, "$: required"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 1, 5, "$: oneOf"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {**TAGS, "uniqueItems": True}}},
         {"a": ["a"]}, {"a": ["a", "a"]}, "$.a: uniqueItems"),
    ],
)  # fmt: skip
def test_the_grammar_holds_the_rest_and_the_answer_is_checked(schema: Any, good: Any, bad: Any, told: str) -> None:
    left, less = held(schema)

    assert less and left is not None
    assert jsonschema.Draft202012Validator(left).is_valid(good)
    assert jsonschema.Draft202012Validator(left).is_valid(bad)  # the grammar lets it through
    assert fault(schema, good) is None
    assert told == fault(schema, bad)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"properties": {"a": {"$ref": "https://example.com/x"}}},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"type": "integer", "minimum": 5, "exclusiveMaximum": 5},
    ],
)
def test_what_is_wrong_in_itself_is_refused_all_the_same(schema: Any) -> None:
    with pytest.raises(ModelFault, match="cannot be held"):
        held(schema)


def test_what_a_grammar_can_hold_is_left_as_it_is() -> None:
    assert ({"type": "array", "items": {"type": "string"}}, False) == held(TAGS)


def test_a_pattern_that_would_never_end_is_given_up() -> None:
    began = time.monotonic()

    assert "$: pattern" == fault({"type": "string", "pattern": "^(?=(a+)+$)(a|aa)+$"}, "a" * 5000 + "b")
    assert time.monotonic() - began < 5


def test_a_reference_to_elsewhere_is_never_fetched() -> None:
    assert "not checked: _WrappedReferencingError" == fault({"$ref": "http://127.0.0.1:9/x"}, 1)


def test_the_arguments_of_demanded_calls_are_checked() -> None:
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Afterwards, Loose

    parameters = {"type": "object", "properties": {"tags": {**TAGS, "uniqueItems": True}}}
    tools = [{"function": {"name": "mark", "parameters": parameters}}, {"function": {"name": "other"}}]
    for last, told in (("b", None), ("a", "$.tags: uniqueItems")):
        loose = Loose()
        assert grammar_for(None, tools, "required", loose=loose)
        check = Afterwards(loose)
        call = {"name": "mark", "arguments": {"tags": ["a", last]}}
        check.feed(f"<tool_call>\n{json.dumps(call)}\n</tool_call>")
        assert told == check.fault()
