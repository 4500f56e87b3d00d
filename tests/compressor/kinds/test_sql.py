"""SQL keeps every statement to the letter; only rows that are remarks and nothing else go."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.kinds.sql import Sql
from tests.compressor.kinds.kit import Shorten, check_claims, edited, kinds
from tests.compressor.linear import check_linear

SCHEMA = """\
CREATE TABLE subscription (
    id bigint PRIMARY KEY,
    plan text NOT NULL DEFAULT 'basic',
    ended_at timestamptz,
    CHECK (ended_at IS NULL OR ended_at > started_at)
);
CREATE UNIQUE INDEX one_active ON subscription (customer_id) WHERE ended_at IS NULL;
SELECT c.region, count(*) AS churned
FROM subscription s
LEFT JOIN complaint k ON k.customer_id = s.customer_id
WHERE s.plan <> 'trial'
  AND NOT EXISTS (
    SELECT 1 FROM subscription n WHERE n.started_at > s.ended_at
  )
ORDER BY churned DESC;
UPDATE subscription SET plan = 'basic' WHERE plan = 'legacy' AND ended_at IS NULL;
GRANT SELECT ON subscription TO reporting;
DELETE FROM complaint WHERE customer_id NOT IN (SELECT customer_id FROM legal_hold);
"""
QUERY = """\
-- how many customers left us in a month, by region, as the board asked for it
-- and without those who were only here to try
WITH gone AS (
  SELECT id
  /* this part was written by the old team, nobody knows
     why it is here at all, but it works so far */
  FROM subscription
  -- AND plan = 'trial'
  WHERE note <> 'a -- b'
)
SELECT /*+ INDEX(gone) */ id FROM gone
WHERE name = 'two
-- no remark
lines';
"""
ROUTINE = """\
CREATE FUNCTION touch() RETURNS trigger AS $$
BEGIN
  -- a remark of the body, which is a string
  NEW.updated = now();

  RETURN NEW;
END;
$$ LANGUAGE plpgsql;
"""
PROCEDURE = """\
CREATE PROCEDURE pay(IN shop INT)
BEGIN
  DECLARE total INT;
  SET total = 3;

  UPDATE purse SET held = held - total WHERE id = shop;
END;
SELECT * FROM purse;
"""
SESSION = """\
shop=# \\d subscription
shop=# select id from subscription where ended_at is null;
shop=# BEGIN;
shop=# DELETE FROM complaint WHERE id = 3;
shop=# ROLLBACK;
"""
TEXTS = [
    SCHEMA,
    QUERY,
    ROUTINE,
    PROCEDURE,
    SESSION,
    SCHEMA.lower(),
    SCHEMA.replace("\n", "\r\n"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_statements_are_told_without_a_fence(text: str) -> None:
    assert kinds(text) == [TextKind.SQL]
    around = kinds(f"This is what the colleague wrote last night.\n\n{text}\nIs it right? I do not think so.")
    assert around == [TextKind.PROSE, TextKind.SQL, TextKind.PROSE]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ratio", [1.5, 3, 100])
def test_no_row_of_a_statement_goes_or_is_cut(shorten: Shorten, text: str, ratio: float) -> None:
    short = shorten(text, ratio=ratio)
    rows = [row.rstrip("\r") for row in text.split("\n")]
    assert all(
        row.rstrip("\r") in rows or re.fullmatch(r"\s*-- \[… \d+ lines?\]\r?", row) for row in short.split("\n")
    )
    remarks = {row for row in rows if row.lstrip().startswith(("--", "/*", "why it"))}
    assert [row for row in rows if row.strip() and row not in remarks and row not in short] == []


def test_remarks_go_and_strings_and_hints_stay(shorten: Shorten) -> None:
    short = shorten(QUERY)
    assert short.startswith("-- [… 2 lines]\nWITH gone AS (\n  SELECT id\n  -- [… 2 lines]\n  FROM subscription\n")
    assert "SELECT /*+ INDEX(gone) */ id" in short
    assert "'two\n-- no remark\nlines'" in short
    assert shorten(ROUTINE) == ROUTINE.rstrip()


@pytest.mark.parametrize(
    "row",
    ["-- name: get_user :one", "-- +goose Up", "-- migrate:up", "/*!40101 SET NAMES utf8 */", "-- noqa: L010"],
)
def test_a_remark_that_a_tool_reads_stays(shorten: Shorten, row: str) -> None:
    words = "-- words about the shop that say nothing to anybody who reads the statement\n"
    assert row in shorten(f"{words}{row}\nSELECT * FROM shop;\n")
    assert "words about" not in shorten(f"{words}{row}\nSELECT * FROM shop;\n")


def test_statements_go_whole_where_a_question_names_others(shorten: Shorten) -> None:
    short = shorten(SCHEMA, "What may the reporting role do?")
    assert "GRANT SELECT ON subscription TO reporting;" in short
    assert "CREATE TABLE" not in short and short.startswith("-- [… ")
    assert shorten(SCHEMA, "What is the weather like?") == SCHEMA.rstrip()


@pytest.mark.parametrize("hint", ["sql", "psql", "postgresql", "mysql"])
def test_a_fence_that_says_sql_is_enough(hint: str) -> None:
    text = f"Look:\n\n```{hint}\nfrom shop select what it may be.\n```\n\nThat is all there is."
    assert kinds(text) == [TextKind.PROSE, TextKind.FENCE, TextKind.SQL, TextKind.FENCE, TextKind.PROSE]


@pytest.mark.parametrize(
    "text",
    [
        "Select the best option from the list.\nUpdate me when you are done; I will look at it then.",
        "With love as (always) from all of us;\nfrom your friends in the shop",
        "Create table reservations for the guests, and delete from the list all who do not come.",
        "Drop the index finger. Alter the user manual.\nInsert into the box what you find;",
        "SELECT is the first word of a query. FROM is the second.\nThey are easy to learn.",
        "Grant him access to the house on Monday.\nRevoke it on Friday.",
        "Begin with the roof;\nend with the cellar;\nshow me the bill;",
        "-- so he said --\n-- and went --\nNobody saw him again.",
        "Values matter. With them as a guide, we select people from all parts of the town; they are kind.",
        "Update: the roof set us back by 3 = three weeks.",
        "Explain the plan to me; I do not see the point.",
    ],
)
def test_prose_that_looks_like_sql_is_none(text: str) -> None:
    assert TextKind.SQL not in kinds(text)


STRINGS = st.text(alphabet="ab -;'\n/*$(", max_size=20).map(lambda text: "'" + text.replace("'", "''") + "'")
REMARKS = st.sampled_from(
    ["-- words of the old team about the shop and its many customers", "/* words\n   over rows */"]
)
STATEMENTS = st.one_of(
    st.tuples(STRINGS, STRINGS).map(lambda pair: f"SELECT *\nFROM shop\nWHERE a = {pair[0]}\n  OR b = {pair[1]};"),
    STRINGS.map(lambda string: f"INSERT INTO shop (a, b)\nVALUES (1, {string});"),
    STRINGS.map(lambda string: f"UPDATE shop SET a = {string} WHERE b IS NOT NULL; SELECT * FROM shop;"),
    st.just(ROUTINE.rstrip()),
)


@settings(max_examples=60)
@given(st.lists(st.one_of(STATEMENTS, REMARKS), min_size=1, max_size=6), st.integers(1, 3))
def test_statements_stand_in_the_result_to_the_letter(shorten: Shorten, parts: list[str], breaks: int) -> None:
    short = shorten("```sql\n" + ("\n" * breaks).join(parts) + "\n```")
    at = 0
    for part in parts:
        if not part.startswith(("--", "/*")):
            assert part in short[at:]
            at = short.index(part, at) + len(part)


@settings(max_examples=150)
@given(st.text(alphabet="SELECT fromab;'\"$(-/*)=\\ \t\r\n\x00\ud800", max_size=300), st.sampled_from(["", "sql"]))
def test_whatever_stands_there_rows_are_claimed_in_order(text: str, hint: str) -> None:
    check_claims(Sql(), text, hint)


@pytest.mark.parametrize(
    "row",
    [
        "SELECT a",
        "SELECT (",
        "SELECT 'x",
        "INSERT INTO t",
        "SELECT * FROM t",
        "-- words",
        "/* words",
        "SELECT $a$",
        "(1, 2),",
        "shop=# \\d",
    ],
)
def test_many_rows_take_linear_time(row: str) -> None:
    check_linear(edited, lambda count: f"SELECT *\n{row}\n" * count, 100)
