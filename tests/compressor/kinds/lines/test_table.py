"""Tables with bars: whole rows, with their header, its rule and the footer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compressor.kinds.kit import check_rows, kinds, left, units_of

HOSTS = "\n".join(
    ["| Host | Role | State |", "|---|:-:|---|"]
    + [f"| app-{n:02} | {('web', 'worker')[n % 2]} | {'down' if n == 21 else 'ok'} |" for n in range(40)]
)
PSQL = "\n".join(
    [" id | name | locked_until", "----+------+---------------------"]
    + [f" {n} | ana{n} | {'2026-10-01 00:00:00' if n == 7 else ''}" for n in range(10, 40)]
    + ["(30 rows)"]
)
MYSQL = (
    "+----+-----+\n| id | who |\n+----+-----+\n|  1 | ana |\n|  2 | bo  |\n+----+-----+\n2 rows in set (0.00 sec)"
)
GRID = "+---+-----+\n| a | b   |\n+===+=====+\n| 1 | two |\n|   | go  |\n+---+-----+\n| 2 | x   |\n+---+-----+"
BOX = "┌────┬─────┐\n│ id │ who │\n├────┼─────┤\n│ 1  │ ana │\n└────┴─────┘"


@pytest.mark.parametrize("text", [HOSTS, PSQL, MYSQL, GRID, BOX, "a | b\n--- | ---\n1 | 2\n3 | 4"])
def test_each_style_is_one_block(text: str) -> None:
    assert kinds(text) == ["table"]
    check_rows(text, units_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "Either a | b or c | d is meant.\nNothing else is.\n",
        "Title | Subtitle\n\nText of the page goes on.\n",
        "x = a | b\ny = c | d\n",
        "A heading\n---------\nText | with a bar\n",
    ],
)
def test_bars_without_a_rule_are_no_table(text: str) -> None:
    assert "table" not in kinds(text)


def test_header_rule_and_footer_stay_at_any_ratio() -> None:
    kept = left(PSQL, 1000)

    assert kept[0] == "\n".join(PSQL.split("\n")[:2])
    assert kept[-1] == "(30 rows)"
    assert left(MYSQL, 1000)[-2:] == MYSQL.split("\n")[-2:]


def test_rare_values_and_what_is_asked_for_stay() -> None:
    assert "| app-21 | worker | down |" in left(HOSTS, 8)
    assert "| app-33 | worker | ok |" in left(HOSTS, 8, "Who owns app-33?")


def test_a_row_of_several_lines_is_one_unit() -> None:
    assert "| 1 | two |\n|   | go  |\n+---+-----+" in left(GRID, 1)
    wrapped = " id | note \n----+------\n 1  | one  +\n    | two  \n 2  | x\n(2 rows)"
    assert " 1  | one  +\n    | two  " in left(wrapped, 1)


NAMES = st.text(st.sampled_from("abcäß0 .,-"), min_size=1, max_size=9).map(str.strip)


@given(st.lists(st.tuples(NAMES, NAMES, st.booleans()), min_size=1, max_size=40), st.sampled_from([1.5, 2, 4, 50]))
def test_rows_keep_their_columns_below_the_header(rows: list[tuple[str, str, bool]], ratio: float) -> None:
    text = "\n".join(["| a | b | c |", "| --- | --- | --- |", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])
    kept = "\n".join(left(text, ratio)).split("\n")

    assert kept[:2] == text.split("\n")[:2]
    assert all(row.count("|") == 4 for row in kept)


@given(st.text(st.sampled_from("a|+-=: \n┼│─"), max_size=200))
def test_nothing_that_it_may_hold_is_a_fault(text: str) -> None:
    assert kinds(text) is not None
    assert kinds("| a | b |\n|---|---|\n" + text)[0] == "table"
