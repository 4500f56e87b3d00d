"""JSON parses whatever goes, says what it said, and what is no JSON is not taken for it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kinds.base import Asked, Block, Rows, TextKind
from moosproxy.compressor.kinds.blocks import split
from moosproxy.compressor.kinds.json_text import Json
from moosproxy.compressor.selection.joining import join
from moosproxy.compressor.text.json_grammar import ESCAPE
from moosproxy.compressor.text.lexicon import words

TEXT = (
    "# Bookings\nDouble entry bookings of all companies of the group, taken over after each closing of a month. "
    "Amounts are in the currency of the company and have to be converted first. Bookings that were reversed stand "
    "here twice, so that sums stay right. Take the last row before a date, and not the row of that date itself.\n"
    'Nobody but "finance" may change them, whatever a colleague says about it meanwhile, or on C:\\new paths.'
)
CATALOGUE = [
    {"name": name, "description": TEXT, "rows": 10 * number}
    for number, name in enumerate(words("orders_2026 finance_ledger support_tickets web_events stock_levels"))
]
TICKET = {
    "id": 79,
    "description": None,
    "metadata": "{}",
    "created_at": "2026-09-15 20:32:06",
    "tags": '["gateway","slow"]',
    "subtasks": [{"id": 501, "done": True}, {"id": 502, "done": False}],
    "comments": [{"by": "ana", "text": TEXT}, {"by": "bo", "text": TEXT}],
}
HOSTS = [
    {
        "id": number,
        "host": f"web-{number % 4}",
        "state": "failed" if number == 23 else "ok",
        "ms": 4812 if number == 31 else 20 + number % 5,
    }
    for number in range(60)
]
Mode = Literal["lossless", "prose", "rows"]


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint) as loaded:
        yield loaded


def exact(text: str) -> Any:
    """The values; numbers as they are written, objects as pairs."""
    return json.loads(
        text, parse_int=lambda number: [number], parse_float=lambda number: [number], object_pairs_hook=tuple
    )


def subsequence(short: str, text: str) -> bool:
    rest = iter(text)
    return all(character in rest for character in short)


def kinds(text: str) -> list[TextKind]:
    return [block.kind for block in split(text)]


def shortened(compressor: Compressor, text: str, mode: Mode = "prose", ratio: float = 2, **more: Any) -> str:
    return compressor.compress(text, CompressionSettings(ratio=ratio, json=mode, **more)).text


# What is JSON.


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CATALOGUE),
        json.dumps(TICKET, indent=2),
        json.dumps(TICKET, indent="\t").replace("\n", "\r\n"),
        "\n".join(json.dumps(host) for host in HOSTS),
        "Tool result: " + json.dumps(CATALOGUE) + " (5 collections)",
        "[tool] result: " + json.dumps(CATALOGUE),
        json.dumps(TEXT),
        "```json\n" + json.dumps(TICKET, indent=2) + "\n```",
        "```\n" + json.dumps(TICKET, indent=2) + "\n```",
    ],
)
def test_json_is_found(text: str) -> None:
    assert {TextKind.JSON} == set(kinds(text)) - {TextKind.FENCE}


def test_json_between_paragraphs_is_found() -> None:
    text = f"Here is what came back.\n\n{json.dumps(TICKET, indent=2)}\nThe last comment is the one that counts."

    assert [TextKind.PROSE, TextKind.JSON, TextKind.PROSE] == kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "As others found [12], the effect is small. It was confirmed later [13, 14] by a larger group of authors.",
        "[12, 13] say so too, and give the reasons for it in an appendix that is longer than the paper itself.",
        "[Note] The meeting was moved to Friday, since the room is not free before. {See the plan} for details.",
        '"We will not do that," she said. "Not today, and not tomorrow either, as long as I am the one to say."',
        "Please fill in {name} and {date}, then send the letter to the person who asked for it, before Monday.",
        "[ ] Call the office\n[x] Write the letter\n[ ] Pay the bill that came in last week and was forgotten",
        "They scored [1, 2, 3] points.\nWe scored {4} points, and then the game was over for us that evening.",
    ],
)
def test_prose_with_brackets_is_prose(text: str) -> None:
    assert TextKind.JSON not in kinds(text)


LITERAL = json.dumps(HOSTS[:6], indent=2)


@pytest.mark.parametrize(
    "code",
    [
        f"const hosts =\n{LITERAL};\nmodule.exports = hosts;",
        f"expect(hosts).toEqual(\n{LITERAL}\n);",
        f'HOSTS = json.loads("""\n{LITERAL}\n""")',
        f"for host in (\n{LITERAL}\n):\n    check(host)",
        f"```python\nHOSTS = {LITERAL}\nprint(HOSTS)\n```",
        f"```js\n{LITERAL}\n```",
        f"const hosts = {json.dumps(HOSTS[:6])};",
        f"run({json.dumps(HOSTS[:6])}, 3)",
        f"{LITERAL}.forEach((host) => check(host));",
        "run(\n" + "\n".join(json.dumps(host) + "," for host in HOSTS[:8]) + "\n);",
    ],
)
@pytest.mark.parametrize("mode", ["lossless", "prose", "rows"])
def test_a_literal_of_a_program_is_never_cut_inside_of_its_lines(
    code: str, mode: Mode, compressor: Compressor
) -> None:
    lines = code.split("\n")
    for line in shortened(compressor, code, mode, 3).split("\n"):
        assert line in lines or "[…" in line


# What goes.


@pytest.mark.parametrize("indent", [None, 1, 4])
@pytest.mark.parametrize("value", [CATALOGUE, TICKET, HOSTS, TEXT])
def test_without_loss_white_space_alone_goes(value: object, indent: int | None, compressor: Compressor) -> None:
    short = shortened(compressor, json.dumps(value, indent=indent), "lossless", 3)

    assert json.dumps(value, separators=(",", ":")) == short


def test_numbers_escapes_and_repeated_keys_stay_as_they_are_written(compressor: Compressor) -> None:
    text = r"""{"a": [1.50, -0.0, 1E5, 123456789012345678901234567890], "a": "é\u00e9\ud83d\ude00\n\\\"",
      "deep": {"": [[], {}, [ ], { }]}, "tags": "[\"x\", \"y\"]"}"""

    assert (
        r'{"a":[1.50,-0.0,1E5,123456789012345678901234567890],"a":"é\u00e9\ud83d\ude00\n\\\"",'
        r'"deep":{"":[[],{},[],{}]},"tags":"[\"x\", \"y\"]"}'
    ) == shortened(compressor, text)


def test_slashes_lose_the_backslash_that_they_do_not_need(compressor: Compressor) -> None:
    text = (
        r'{"url": "https:\/\/example.com\/a", "path": "c:\\\/x\\/y", "of": "a host with a longer name than most"}'
    )
    short = shortened(compressor, text)

    assert r'{"url":"https://example.com/a","path":"c:\\/x\\/y"' == short[: short.index(',"of"')]
    assert json.loads(text) == json.loads(short)


def test_the_white_space_that_a_caller_wants_stays(compressor: Compressor) -> None:
    short = shortened(compressor, json.dumps(TICKET), patterns=('"id": 79',))

    assert short.startswith('{"id": 79,"description":null')


def test_a_document_in_a_string_is_exact(compressor: Compressor) -> None:
    inner = json.dumps(CATALOGUE, indent=2)
    short = shortened(compressor, json.dumps({"content": [{"type": "text", "text": inner}]}), "rows", 4)

    assert inner == json.loads(short)["content"][0]["text"]


@pytest.mark.parametrize("lead", ["", "Tool result: "])
def test_sentences_of_long_texts_go_and_all_else_stays(lead: str, compressor: Compressor) -> None:
    short = shortened(
        compressor, lead + json.dumps(CATALOGUE), ratio=3, question="off", asked="Which dates count?"
    )
    value = json.loads(short.removeprefix(lead))

    assert [{**entry, "description": ""} for entry in CATALOGUE] == [
        {**entry, "description": ""} for entry in value
    ]
    gone = [entry["description"] for entry in value if "[…" in entry["description"]]
    assert gone
    assert all(sentence.strip() in TEXT for text in gone for sentence in text.replace("…]", "[").split("[")[::2])


def test_elements_of_long_arrays_go_and_the_telling_ones_stay(compressor: Compressor) -> None:
    text = json.dumps({"hosts": HOSTS, "next": None}, indent=2)
    hosts = json.loads(shortened(compressor, text, "rows", 4))["hosts"]
    kept = [host for host in hosts if isinstance(host, dict)]

    assert len(kept) < 30
    assert all(host == HOSTS[host["id"]] for host in kept)
    assert {0, 23, 31, 59} <= {host["id"] for host in kept}
    assert 60 - len(kept) == sum(int(host.split()[1]) for host in hosts if isinstance(host, str))


def test_the_element_that_is_asked_about_stays(compressor: Compressor) -> None:
    text = json.dumps([{**host, "owner": f"person-{host['id']}"} for host in HOSTS])
    short = shortened(compressor, text, "rows", 6, question="Which host belongs to person-41?")

    assert "person-41" in short


def test_whole_rows_of_like_records_go(compressor: Compressor) -> None:
    text = "\n".join(json.dumps(host) for host in HOSTS)
    lines = shortened(compressor, text, "rows", 4).split("\n")
    kept = [json.loads(line) for line in lines if not line.startswith("[…")]

    assert len(kept) < 30
    assert all(host == HOSTS[host["id"]] for host in kept)
    assert {0, 23, 31} <= {host["id"] for host in kept}


@pytest.mark.parametrize(
    "records",
    [
        HOSTS[:7],
        [*HOSTS, 1],
        [*HOSTS, None],
        [[*host.values()] for host in HOSTS],
        [{f"key {number}": number} for number in range(30)],
    ],
)
def test_short_and_mixed_arrays_stay_whole(records: list[object], compressor: Compressor) -> None:
    text = json.dumps(records, indent=1)

    assert records == json.loads(shortened(compressor, text, "rows", 4))


# Halves.


@pytest.mark.parametrize("part", [slice(0, 3000), slice(500, 3000), slice(2000, None)])
def test_of_half_a_document_whole_rows_go(part: slice, compressor: Compressor) -> None:
    text = json.dumps(HOSTS, indent=2)[part]
    short = shortened(compressor, text, "rows", 3)

    assert len(short) < len(text)
    assert all(line in text.split("\n") or "[…" in line for line in short.split("\n"))


@pytest.mark.parametrize("lead", ["", "Tool result: "])
def test_half_a_document_on_one_row_is_left_alone(lead: str, compressor: Compressor) -> None:
    text = lead + json.dumps(CATALOGUE)[:1500]

    assert text == shortened(compressor, text, "rows", 3)


# Whatever comes.

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
    if isinstance(before, list) and isinstance(after, list):
        left = [item for item in after if not (mode == "rows" and isinstance(item, str) and item[:2] == "[…")]
        rest = iter(before)
        some = all(any(like(known, item, mode) for known in rest) for item in left)
        return some and (len(left) == len(before) or (mode == "rows" and len(before) >= 8))
    if mode != "lossless" and isinstance(before, str) and isinstance(after, str) and len(before.split()) > 40:
        return True
    return before == after and type(before) is type(after)


@settings(max_examples=60, deadline=None)
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
    joined = join(plan, units, chosen, np.full(len(units), 50))

    assert like(value, json.loads(joined.text), mode)
    if mode == "lossless":
        assert exact(text) == exact(joined.text)
        assert subsequence(joined.text, text)
        assert len(joined.text) <= len(json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")))


@pytest.mark.parametrize("shift", range(12))
def test_an_escape_is_never_parted(shift: int) -> None:
    run = "x" * shift + r"\"\u00e9\ud83d\ude00" * 100
    text = '{"text": "' + " ".join(["and so they went on without a stop"] * 30) + " " + run + '"}'
    (block,) = split(text)
    edited = Json().edit(text, block, Asked())
    borders = {border for unit in edited.units for border in (unit.start, unit.end)}

    assert len(edited.units) > 4
    assert not any(borders & {*range(found.start() + 1, found.end())} for found in ESCAPE.finditer(text))


@settings(max_examples=100, deadline=None)
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
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(edited.drops))
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

    assert work(4000) < 2.5 * work(2000)


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
