"""Replacing strings inside JSON changes these strings and nothing else."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moosproxy.proxy.bodies.splice import Path, SpliceError, splice

_TEXTS = st.text(max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


def strings(value: Any, path: Path = ()) -> list[Path]:
    """The place of every string in a value."""
    if isinstance(value, str):
        return [path]
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in strings(inner, (*path, key))]
    if isinstance(value, list):
        return [found for index, inner in enumerate(value) for found in strings(inner, (*path, index))]
    return []


def put(value: Any, path: Path, text: str) -> Any:
    """The value with the string at the path replaced."""
    if not path:
        return text
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], text)
    return copy


@given(st.data(), st.dictionaries(_TEXTS, _VALUES, max_size=4), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_it_equals_parsing_replacing_and_writing(
    data: st.DataObject, value: dict[str, Any], escaped: bool, indent: int | str | None
) -> None:
    document = json.dumps(value, ensure_ascii=escaped, indent=indent).encode()
    places = strings(value)
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True)) if places else []
    changes = {path: data.draw(_TEXTS) for path in chosen}
    expected = value
    for path, text in changes.items():
        expected = put(expected, path, text)

    assert json.loads(splice(document, changes)) == expected


@given(st.dictionaries(_TEXTS, _VALUES, max_size=4))
def test_putting_the_same_strings_back_changes_no_other_byte(value: dict[str, Any]) -> None:
    document = orjson.dumps(value, option=orjson.OPT_INDENT_2) if _fits(value) else json.dumps(value).encode()
    same = {path: _at(value, path) for path in strings(value)}

    assert json.loads(splice(document, same)) == value
    if _fits(value):
        assert splice(document, same) == document


def _fits(value: Any) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _at(value: Any, path: Path) -> str:
    for step in path:
        value = value[step]
    assert isinstance(value, str)
    return value


def test_of_a_repeated_key_the_last_value_counts() -> None:
    document = b'{"a":"x","b":{"a":[1]},"a" : "y", "a":"z"}'

    assert splice(document, {("a",): "new"}) == b'{"a":"x","b":{"a":[1]},"a" : "y", "a":"new"}'


def test_an_escaped_key_is_found() -> None:
    assert splice(b'{"\\u0061":"x"}', {("a",): '\u2028"\\'}) == '{"a":"\u2028\\"\\\\"}'.encode().replace(
        b'"a"', b'"\\u0061"'
    )


def test_without_changes_the_document_is_the_same_object() -> None:
    document = b'{"a" : 1e5}'

    assert splice(document, {}) is document


@pytest.mark.parametrize("path", [("b",), ("a", 0), ("c", 5), ("n",), ("c", 0, "x"), ("a", "a")])
def test_a_path_to_no_string_is_an_error(path: Path) -> None:
    with pytest.raises(SpliceError):
        splice(b'{"a":"x","c":["y"],"n":4}', {path: "new"})


@given(st.lists(st.text('a"\\é', max_size=300), min_size=1, max_size=3), st.integers(0, 80))
def test_strings_end_at_the_quote_that_is_not_escaped(texts: list[str], slashes: int) -> None:
    """Behind any number of backslashes and among few or many quotes."""
    value = {"m": [f"{text}{'x' * 70}" * 3 + "\\" * slashes for text in texts], "z": "end"}
    last = ("m", len(texts) - 1)

    assert json.loads(splice(json.dumps(value).encode(), {last: '"', ("z",): "new"})) == {
        "m": [*value["m"][:-1], '"'],
        "z": "new",
    }
