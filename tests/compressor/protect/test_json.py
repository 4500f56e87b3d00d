"""JSON stays JSON whatever else is dropped."""

import json
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.protect import find
from moosproxy.compressor.protect.json_text import json_text
from moosproxy.compressor.selection import ranking
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text import words
from moosproxy.compressor.text.lexicon import words as listed

WORDS = listed("the quick brown fox jumps over a lazy dog while nobody looks at all that closely today")
ESCAPES = ["\n", '"', "\\", "\t", "é", "\u2028", "🙂", "a\nb", 'say "hi"', "/", "\x01", "不", "C:\\x"]
prose = st.lists(st.sampled_from([*WORDS, *WORDS, *ESCAPES]), min_size=45, max_size=60).map(" ".join)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | prose
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
documents = st.dictionaries(st.text(max_size=6), values, max_size=4) | st.lists(values, max_size=4) | prose


def same_shape(before: object, after: object) -> bool:
    """Equal but for strings of more than 40 words, of which any words may be gone."""
    if isinstance(before, dict) and isinstance(after, dict):
        return list(before) == list(after) and all(same_shape(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same_shape, before, after))
    if isinstance(before, str) and len(before.split()) > 40:
        return isinstance(after, str)
    return before == after


def dropped(text: str, share: float, seed: int) -> str:
    """The text without a random share of its unprotected words, joined as the compressor joins slices."""
    spans = find(text, {Kind.JSON})
    chance = random.Random(seed)
    starts, ends = words.find(text)
    kept = [
        any(span.start < end and start < span.end for span in spans) or chance.random() >= share
        for start, end in zip(starts, ends, strict=True)
    ]
    return KeptSpans(ranking.spans_of(np.array(kept, bool), starts, ends)).apply(text)


@settings(max_examples=50, deadline=None)
@given(documents, st.sampled_from([None, 2]), st.booleans(), st.floats(0, 1), st.integers(0, 99))
def test_any_subset_of_unprotected_words_leaves_valid_json_of_the_same_shape(
    document: object, indent: int | None, ascii_only: bool, share: float, seed: int
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    if not list(json_text(text)):
        return  # nothing worth protecting, such as [] or [1]

    assert same_shape(json.loads(text), json.loads(dropped(text, share, seed)))


@pytest.mark.parametrize("white", ["\\n", "\\t", "\\u2028", "\\u000b"])
def test_escaped_white_space_is_no_word(white: str) -> None:
    text = f'["{" ".join(["the"] * 40)} {" ".join([white] * 5)}"]'

    assert json.loads(dropped(text, 1, 0)) == json.loads(text)


def test_words_of_a_long_prose_value_are_free_and_a_short_one_is_not() -> None:
    long = " ".join(WORDS * 3)
    text = json.dumps({"short": "the quick brown fox", "long": long})
    gone = dropped(text, 1.0, 0)

    assert json.loads(gone)["short"] == "the quick brown fox"
    assert not json.loads(gone)["long"].strip()


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"count": 5, "items": [1] * 60, "note": "a b c"}),
        "x = 1; y(2) " * 30,
        "<p>" + "word " * 60,
    ],
    ids=["encoded JSON", "code", "markup"],
)
def test_a_long_value_that_is_no_prose_is_kept_whole(value: str) -> None:
    text = json.dumps({"v": value})

    assert dropped(text, 1.0, 0) == text


def test_json_inside_prose_is_kept_and_the_prose_is_not() -> None:
    text = 'The call gave {"ok": true, "id": 7} and then [{"a": null}] came back.'

    assert re.sub(r"\s+", "", dropped(text, 1.0, 0)) == '{"ok":true,"id":7}[{"a":null}]'


def test_broken_json_costs_only_the_container_that_is_broken() -> None:
    text = '[{"a": 1}, {"b": 2}, oops {"c": 3}'

    assert [text[s:e] for s, e in json_text(text)] == ['{"a": 1}', '{"b": 2}', '{"c": 3}']


def test_nesting_deeper_than_any_recursion_limit_is_read() -> None:
    text = "[" * 50_000 + '"x"' + "]" * 50_000

    assert list(json_text(text)) == [(0, len(text))]


@given(st.text(alphabet='{}[]",:\\ 01e.-truefalsn\n', max_size=60))
def test_whatever_is_taken_for_json_is_json(text: str) -> None:
    for start, end in json_text(text):
        json.loads(text[start:end])


@given(st.text(alphabet='[]",1', max_size=14))
def test_whole_texts_that_are_json_are_taken_for_it(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        return
    if isinstance(value, list) and ('"' in text or "," in text or text.count("[") > 1):
        assert list(json_text(text)) == [(0, len(text))]
