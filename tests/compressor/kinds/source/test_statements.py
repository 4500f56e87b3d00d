"""What belongs together in code, and which of its statements stay longest."""

from __future__ import annotations

import re

import pytest

from tests.compressor.kinds.kit import best, closed, edited, index_of, piece_of, rows_of, units_of
from tests.compressor.kinds.source.sources import (
    BUCKET,
    GO,
    LUA,
    NUMBERED,
    RUBY,
    RUST,
    SHELL,
    TYPESCRIPT,
    C,
)


@pytest.mark.parametrize(
    ("text", "inner", "headers"),
    [
        (
            BUCKET,
            "raise ValueError(amount)",
            ["class Pail", "def take", "if self.tokens < amount", "elif amount >"],
        ),
        (BUCKET, "self.tokens -= amount", ["elif amount > self.capacity", "else:"]),
        (NUMBERED, "raise TimeoutError", ["class Gate", "async def enter", "while not", "if asyncio"]),
        (TYPESCRIPT, "log(text)", ["export async function", "if (!text)", "} else if", "} else {"]),
        (TYPESCRIPT, "skip(text)", ["switch (text[0])", "default:"]),
        (C, "return -1;\n#else", ["clamp(int value)", "#ifdef STRICT", "#endif", "if (value > LIMIT)"]),
        (C, "value = value % LIMIT", ["#ifdef STRICT", "#else", "#endif"]),
        (C, "goto fail", ["if (value < 0)", "static int"]),
        (GO, "fmt.Println(name)", ["func run", "switch name", 'case "a":']),
        (SHELL, "rsync", ["deploy() {", 'if [ -z "$target" ]', "    else", "    fi"]),
        (SHELL, 'ssh "$host"', ["for host in", "    done"]),
        (RUST, "Err(Error::Empty)", ["impl<'a>", "pub fn open", "match text.len()"]),
        (RUBY, "warn e.message", ["class Store", "def load", "rescue JSON"]),
        (LUA, "return high", ["function M.clamp", "if x < low", "elseif"]),
    ],
)
def test_a_statement_keeps_its_headers(text: str, inner: str, headers: list[str]) -> None:
    units = units_of(text)
    kept = "\n".join(rows_of(text, units, closed(units, {index_of(text, units, inner)})))
    for header in headers:
        assert header in kept


@pytest.mark.parametrize("text", [TYPESCRIPT, C, GO, RUST])
def test_brackets_match_whatever_stays(text: str) -> None:
    units = units_of(text)
    for index, unit in enumerate(units):
        if unit.heads:
            continue
        code = re.sub(r"\"[^\"\n]*\"|`[^`]*`|'.'", "", "\n".join(rows_of(text, units, closed(units, {index}))))
        assert code.count("{") == code.count("}"), (piece_of(text, unit), code)


def test_what_goes_on_over_rows_is_one_statement() -> None:
    text = (
        "import os\n\n"
        "@decorated(\n    1,\n)\ndef one():\n    return os\n\n"
        'QUERY = """\ndef inside():\n    pass\n"""\n'
        "total = 1 + \\\n    2\n"
        "call(\n    one,\n    two,\n)\n"
    )
    units = units_of(text)
    pieces = [piece_of(text, unit) for unit in units]
    assert "@decorated(\n    1,\n)\ndef one():" in pieces
    assert 'QUERY = """\ndef inside():\n    pass\n"""' in pieces
    assert "total = 1 + \\\n    2" in pieces
    assert "call(\n    one,\n    two,\n)" in pieces


def test_a_file_that_begins_in_a_docstring() -> None:
    text = '    of the text.\n    """\n    x = 1\n\n\ndef one(a):\n    """Says."""\n    return a\n\n\nimport os\n'
    units = list(edited(f"```python\n{text}```")[1].units)
    pieces = [unit for unit in units if "def one" in f"```python\n{text}```"[unit.start : unit.end]]
    assert len(pieces) == 1 and pieces[0].count == 1


def test_signatures_stay_longer_than_bodies_and_comments_go_first() -> None:
    ranks = {piece_of(BUCKET, unit).strip().split("\n")[0]: unit.rank or 0.0 for unit in units_of(BUCKET)}
    assert ranks["class Gate:"] > ranks["return True"] > ranks["now = asyncio.get_event_loop().time()"]
    assert ranks["if self.tokens < amount:"] > ranks["self.tokens = min("]
    assert ranks["now = asyncio.get_event_loop().time()"] > ranks["import logging"]
    assert min(ranks.values()) <= ranks["# Never go below nothing."] < ranks["import logging"] + 1


def test_what_the_question_names_stays_with_its_surroundings() -> None:
    units = units_of(BUCKET, "What happens when the deadline of enter is over?")
    kept = "\n".join(rows_of(BUCKET, units, best(BUCKET, units, 0.4)))
    assert "deadline = asyncio" in kept and "raise TimeoutError(key)" in kept
    assert "raise ValueError(amount)" not in kept
