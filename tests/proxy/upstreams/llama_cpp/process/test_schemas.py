"""JSON schemas as clients send them: what is held, what is refused, and how tool calls are held to theirs."""

from __future__ import annotations

import datetime
import enum
import json
import re
import uuid
from typing import Any, Literal

import jsonschema
import openai
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.proxy.upstreams.local.faults import ModelFault
from tests.proxy import tiny_gguf
from tests.proxy.upstreams.llama_cpp.real.files import vocabulary_of

pytestmark = tiny_gguf.needs_llama_cpp


class Colour(enum.Enum):
    """With what JSON has to escape, and a character beyond 16 bits."""

    HARD = 'a"\\\n\t/'
    ASTRAL = "😀"


class Cat(pydantic.BaseModel):
    """One branch of a union."""

    kind: Literal["cat"]
    lives: int = pydantic.Field(ge=1, le=9)


class Dog(pydantic.BaseModel):
    """The other one."""

    kind: Literal["dog"]
    name: str = pydantic.Field(pattern=r"^\w+\s\d{2}\/\S$", max_length=10)


class Tree(pydantic.BaseModel):
    """A recursive one."""

    label: str = pydantic.Field(min_length=1, max_length=3)
    kids: list[Tree] = pydantic.Field(default=[], max_length=2)


class Everything(pydantic.BaseModel):
    """What pydantic writes of it has $defs, $ref, anyOf, oneOf, formats, bounds and a map."""

    pet: Cat | Dog = pydantic.Field(discriminator="kind")
    tree: Tree
    day: datetime.date
    at: datetime.datetime
    id: uuid.UUID
    colour: Colour
    share: float = pydantic.Field(gt=0, lt=1)
    none: int | None = None
    counts: dict[str, int] = {}


GOOD = {
    "pet": {"kind": "dog", "name": "Rex 07/x"},
    "tree": {"label": "ab", "kids": [{"label": "é", "kids": [{"label": "😀", "kids": []}]}]},
    "day": "2024-02-29",
    "at": "2024-02-29T23:59:00Z",
    "id": "9b2d5e1c-8a4f-4c6d-9e0a-1b2c3d4e5f60",
    "colour": "😀",
    "share": 0.25,
    "none": None,
    "counts": {'😀"': 3},
}


@pytest.fixture(scope="module")
def grammars(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Over a small vocabulary that knows every byte."""
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.constraint import Grammars

    return Grammars(vocabulary_of(tiny_gguf.write(tmp_path_factory.mktemp("schemas") / "m.gguf")))


def holds(grammars: Any, grammar: str, text: str) -> bool:
    """Whether the grammar allows exactly this text."""
    guided = grammars.guided(grammar)
    tokens = grammars._vocabulary._plain(text)  # what looks like a control token is text in an answer
    return bool(guided.follow(tokens) and guided._matcher.is_accepting())


def of(schema: Any) -> str:
    """Its grammar, as a response format."""
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for

    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return grammar_for(form, None, None) or ""


def written(value: Any) -> str:
    """As models write it."""
    return json.dumps(value, ensure_ascii=False)


def test_what_pydantic_writes_is_held(grammars: Any) -> None:
    schema = Everything.model_json_schema()

    assert holds(grammars, of(schema), written(GOOD))
    assert Everything.model_validate(GOOD)
    for name, value in {
        "pet": {"kind": "cat", "lives": 10},
        "tree": {"label": "abcd"},
        "day": "2024-13-01",
        "at": "yesterday",
        "id": "no",
        "colour": "a",
        "share": 1.5,
        "none": "x",
        "counts": {"a": "b"},
    }.items():
        assert not holds(grammars, of(schema), written({**GOOD, name: value})), name
    assert not holds(grammars, of(schema), written({**GOOD, "more": 1}))


def test_what_the_openai_client_makes_of_a_model_is_held(grammars: Any) -> None:
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for

    made: Any = openai.pydantic_function_tool(Everything)
    grammar = grammar_for(None, [made], "required") or ""

    call = f'<tool_call>\n{{"name": "Everything", "arguments": {written(GOOD)}}}\n</tool_call>'
    assert holds(grammars, grammar, call)
    assert holds(grammars, grammar, f"{call}\n{call}")
    assert not holds(grammars, grammar, call.replace("Rex 07", "Rex"))


def test_one_call_where_one_is_asked_for(grammars: Any) -> None:
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for

    tools = [{"type": "function", "function": {"name": name}} for name in ("one", "two")]
    calls = {
        name: f'<tool_call>\n{{"name": "{name}", "arguments": {{}}}}\n</tool_call>' for name in ("one", "two")
    }
    both = f"{calls['one']}\n{calls['two']}"
    named = {"type": "function", "function": {"name": "two"}}

    assert holds(grammars, grammar_for(None, tools, "required") or "", both)
    assert holds(grammars, grammar_for(None, tools, named) or "", calls["two"])
    for choice, parallel, text in (("required", False, both), (named, True, both), (named, True, calls["one"])):
        assert not holds(grammars, grammar_for(None, tools, choice, parallel=parallel) or "", text)
    assert grammar_for(None, tools, "auto") is grammar_for(None, tools, None) is None


def test_a_tool_choice_that_names_no_tool_is_refused() -> None:
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for

    with pytest.raises(ModelFault, match="names no tool"):
        grammar_for(None, [{"function": {"name": "one"}}], {"function": {"name": "three"}})


# DEL alone must be written as an escape, which JSON asks for nowhere and allows everywhere.
_LETTERS = st.characters(exclude_characters="\x7f", exclude_categories=["Cs"])


def test_delete_is_held_as_an_escape(grammars: Any) -> None:
    assert holds(grammars, of({"enum": ["\x7f"]}), '"\\u007f"')


@settings(deadline=None, max_examples=60)
@given(st.text(_LETTERS, min_size=1, max_size=12), st.text(_LETTERS, max_size=12))
def test_all_of_unicode_is_held_in_values_and_names(grammars: Any, name: str, value: str) -> None:
    schema = {"type": "object", "properties": {name: {"enum": [value]}}, "required": [name]}
    const = {"const": {name: value}}

    for one in (schema, const):
        assert holds(grammars, of(one), written({name: value}))
        assert not holds(grammars, of(one), written({name: value + "x"}))


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^\d{3}$", "123", "12a"),
        (r"^\D\W\S$", "a-b", "1-b"),
        (r"^\w+$", "a_9", "é"),
        (r"^a\sb$", "a b", "ab"),
        (r"^a\/b\.c$", "a/b.c", "a/bxc"),
        (r"^.$", "😀", "ab"),
        (r"^[^\"]\\$", "a\\", '"\\'),
        (r'^[^"\\]+$', "a[b]", 'a"'),
        (r"^[^\\]$", '"', "\\"),
        (r"^[^\S ]$", "\n", " "),
        (r"b", "abc", "ac"),
        (r"^(foo|bar)+$", "foobar", "fo"),
        (r"^\u0041[\u00e9-\u00eb]$", "Aê", "Aa"),
    ],
)
def test_patterns_are_held(grammars: Any, pattern: str, good: str, bad: str) -> None:
    grammar = of({"type": "string", "pattern": pattern})

    assert re.search(pattern, good) and not re.search(pattern, bad, re.ASCII)
    assert holds(grammars, grammar, written(good))
    assert not holds(grammars, grammar, written(bad))


_VALUES: list[Any] = [0, 4, 5, 7, 9, 10, 1.5, -3, "", "ab", "abcdef", None, True, [], [1], [1, 2, 3], {}, {"a": 1}]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 5, "exclusiveMaximum": 10},
        {"type": "number", "exclusiveMinimum": 1, "maximum": 7.5},
        {"type": "integer", "multipleOf": 5},
        {"type": "string", "minLength": 1, "maxLength": 3},
        {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "integer", "maximum": 4}, {"type": "null"}]},
        {"oneOf": [{"type": "boolean"}, {"type": "array"}]},
        {"allOf": [{"type": "integer"}, {"minimum": 4}, {"maximum": 7}]},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"enum": [4, "ab", None, [1]]},
    ],
)
def test_a_value_is_held_as_the_specification_says(grammars: Any, schema: Any) -> None:
    grammar = of(schema)
    for value in _VALUES:
        valid = jsonschema.Draft202012Validator(schema).is_valid(value)
        assert valid == holds(grammars, grammar, written(value)), value


@pytest.mark.parametrize(
    ("schema", "place", "reason"),
    [
        ({"properties": {"a": {"items": {"not": {"type": "null"}}}}}, ".properties.a.items:", "not"),
        (
            {"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"uniqueItems": True}}},
            ".$defs.b:",
            "uniqueItems",
        ),
        ({"anyOf": [{"type": "null"}, {"type": "string", "pattern": "a(?=b)"}]}, ".anyOf[1]:", "look-around"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, ".properties.a:", "does not exist"),
        ({"properties": {"a": {"$ref": "https://example.com/x"}}}, ".properties.a:", "example.com"),
        ({"type": "integer", "minimum": 5, "exclusiveMaximum": 5}, "schema:", "minimum"),
        ({"properties": {"a": {"const": 10**30}}}, ".properties.a.const:", "64 bits"),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, "schema:", "anyOf"),
        ({"type": "nothing"}, "schema:", "nothing"),
    ],
)
def test_what_cannot_be_held_is_refused_by_its_place(schema: Any, place: str, reason: str) -> None:
    with pytest.raises(ModelFault, match=re.escape(reason)) as caught:
        of(schema)

    assert ("request", "response_format") == (caught.value.kind, caught.value.param)
    assert place in caught.value.message
    assert caught.value.message.startswith("response_format.json_schema.schema")


def test_the_schema_of_a_tool_is_refused_by_its_place() -> None:
    from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for

    tools = [
        {"function": {"name": "a"}},
        {"function": {"name": "b", "parameters": {"properties": {"x": {"not": {}}}}}},
    ]
    with pytest.raises(ModelFault, match=re.escape("tools[1].function.parameters.properties.x: ")):
        grammar_for(None, tools, "required")


def test_a_schema_nested_beyond_reason_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(400):
        schema = {"items": schema}
    with pytest.raises(ModelFault, match="nested too deeply"):
        of(schema)


def test_remarks_are_passed_over(grammars: Any) -> None:
    schema = {"type": "integer", "format": "int32", "title": "T", "example": 3, "nullable": False, "x-order": 1}

    assert holds(grammars, of(schema), "3")
