"""JSON parses whatever goes, and nothing takes longer than the text is long."""

from __future__ import annotations

import json
from itertools import pairwise, repeat
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Block, Rows, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.json.editor import Json
from moosproxy.compressor.selection.units.joining import gone, join
from moosproxy.compressor.text.json_grammar import ESCAPE
from moosproxy.compressor.text.lexicon import words
from tests.compressor.kinds.json.samples import (
    HOSTS,
    TEXT,
    Mode,
    exact,
    shortened,
    subsequence,
)

SENTENCES = words("the quick brown fox jumps over a lazy dog while nobody looks at all that closely today")
ODD = [
    "\n",
    '"',
    "\\",
    "\t",
    "é",
    "\u2028",
    "🙂",
    "end.\n\nNext",
    'say "hi".',
    "a/b",
    "\x01",
    "不。",
    "C:\\x.",
    "No!",
]
long_text = st.integers(0, 10_000).map(
    lambda seed: " ".join(Random(seed).choices([*SENTENCES, *SENTENCES, *ODD], k=60 + seed % 30))
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
records = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(), "state": st.sampled_from(SENTENCES), "text": long_text | st.text()}
    ),
    min_size=8,
    max_size=12,
)
anything = st.recursive(
    leaves | long_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=6,
)
documents = st.one_of(records, long_text, st.lists(anything), anything).map(
    lambda value: {"document": value, "note": "so that it is long enough to be looked at, whatever it holds"}
)


def like(before: object, after: object, mode: Mode) -> bool:
    """Equal but for what the mode lets go."""
    if isinstance(before, dict) and isinstance(after, dict):
        return list(before) == list(after) and all(like(before[key], after[key], mode) for key in before)
    if isinstance(before, list) and isinstance(after, list) and (mode != "rows" or len(before) < 8):
        return len(before) == len(after) and all(map(like, before, after, repeat(mode)))
    if isinstance(before, list) and isinstance(after, list):
        left = [item for item in after if not (isinstance(item, str) and item[:2] == "[…")]
        rest = iter(before)
        return all(any(like(known, item, mode) for known in rest) for item in left)
    if mode != "lossless" and isinstance(before, str) and isinstance(after, str) and len(before.split()) > 40:
        return True
    return before == after and type(before) is type(after)


@settings(max_examples=50)
@given(
    documents,
    st.sampled_from([None, 0, 3]),
    st.booleans(),
    st.sampled_from(["lossless", "prose", "rows"]),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_choice_of_units_leaves_json_of_the_same_shape(
    compressor: Compressor,
    value: object,
    indent: int | None,
    ascii_only: bool,
    mode: Mode,
    marks: bool,
    seed: int,
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    plan = compressor.plan(text, CompressionSettings(json=mode, marks=marks, question="off"))
    assert [TextKind.JSON] == [piece.kind for piece in plan.pieces]
    units = plan.pieces[0].units
    chance = Random(seed)
    chosen = np.array([unit.must or chance.random() < 0.5 for unit in units], bool)
    joined = join(plan, units, chosen, np.full(len(units), 50), gone(plan))

    assert like(value, json.loads(joined.text), mode)
    if mode == "lossless":
        assert exact(text) == exact(joined.text)
        assert subsequence(joined.text, text)
        assert len(joined.text) <= len(json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")))


@pytest.mark.parametrize("shift", range(12))
def test_an_escape_is_never_parted(shift: int) -> None:
    run = "x" * shift + r"\"\u00e9\ud83d\ude00" * 400
    text = '{"text": "' + " ".join(["and so they went on without a stop"] * 30) + " " + run + '"}'
    (block,) = split(text)
    edited = Json().edit(text, block, Asked())
    borders = {border for unit in edited.units for border in (unit.start, unit.end)}

    assert len(edited.units) > 4
    assert not any(borders & {*range(found.start() + 1, found.end())} for found in ESCAPE.finditer(text))


@settings(max_examples=100)
@given(
    documents, st.integers(0, 400), st.integers(0, 400), st.sampled_from(["", "x: ", "[", '"a": ', "\r\n", "\x00"])
)
def test_units_are_disjoint_and_hold_all_of_whatever_is_claimed(
    value: object, first: int, last: int, lead: str
) -> None:
    text = lead + json.dumps(value, indent=2)[first:]
    text = text[: len(text) - last]
    for block in split(text):
        if block.kind is not TextKind.JSON:
            continue
        edited = Json().edit(text, block, Asked(json="rows"))
        cursor = block.start
        for unit in edited.units:
            assert cursor <= unit.start < unit.end <= block.end
            assert not text[cursor : unit.start].strip()
            cursor = unit.end
        assert not text[cursor : block.end].strip()
        assert all(a[1] <= b[0] for a, b in pairwise(edited.drops))
        assert all(unit.head < index for index, unit in enumerate(edited.units))


@given(st.text(alphabet='{}[]",: \\ntrue1.\n\r\t\ud800é', max_size=300))
def test_nothing_raises(text: str) -> None:
    for block in split(text):
        Json().edit(text, Block(block.start, block.end, TextKind.JSON), Asked(json="rows"))


class CountingText(str):
    """Counts the characters that slices copy."""

    copied = 0

    def __getitem__(self, key: Any) -> str:
        part = super().__getitem__(key)
        type(self).copied += len(part)
        return part


@pytest.mark.parametrize(
    "row",
    [
        '{"a": 1, "b": "text"}',
        '{"a": 1, "b": [',
        "[",
        '{"a":',
        '{"a": 1},',
        '"key": "value",',
        '"text"',
        "1,",
        "[1, 2] [3] {}",
        '["a", [[[',
    ],
)
@pytest.mark.parametrize("last", ["", "\n);"])
def test_rows_are_looked_at_a_bounded_number_of_times(row: str, last: str) -> None:
    def work(count: int) -> int:
        looked = 0

        class Watched(Rows):
            def line(self, row: int) -> str:
                nonlocal looked
                looked += 1
                return super().line(row)

        text = CountingText("\n".join([row] * count) + last)
        rows = Watched(text)
        CountingText.copied = 0
        at = 0
        while at < len(rows):
            at = max(Json().claim(rows, at, ""), Json(anywhere=True).claim(rows, at, ""), at + 1)
        return looked + CountingText.copied

    assert work(2000) < 2.25 * work(1000)


def test_tens_of_thousands_of_drops_are_joined_in_linear_time(compressor: Compressor) -> None:
    def work(count: int) -> tuple[int, int]:
        text = json.dumps([{"id": number, "b": [1, 2]} for number in range(count)], indent=4)
        result = compressor.compress(text, CompressionSettings(json="lossless", tokenizer="o200k_base"))
        assert json.dumps(json.loads(text), separators=(",", ":")) == result.text
        return len(result.kept.spans), len(result.kept.to_bytes())

    (spans, size), (twice, larger) = work(1200), work(2400)
    assert spans > 10_000
    assert twice < 2.1 * spans
    assert larger < 2.3 * size


def test_deep_nesting_is_read_without_recursion(compressor: Compressor) -> None:
    text = "[ " * 3000 + "]" * 3000

    assert "[" * 3000 + "]" * 3000 == shortened(compressor, text)


@pytest.mark.parametrize("tokenizer", [None, "no-such-model", "o200k_base"])
def test_saved_white_space_counts_whatever_the_tokenizer(tokenizer: str | None, compressor: Compressor) -> None:
    text = json.dumps(HOSTS, indent=2)
    result = compressor.compress(text, CompressionSettings(json="lossless", tokenizer=tokenizer))

    assert result.ratio > 1.4
    assert "o200k_base" == result.tokenizer


def test_where_no_white_space_goes_pieces_count(compressor: Compressor) -> None:
    assert "encoder" == compressor.compress(TEXT, CompressionSettings()).tokenizer
