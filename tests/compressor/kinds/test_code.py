"""Code: how it is told, what belongs together, and what must never happen to what is left of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.kept import Wrap
from moosproxy.compressor.kinds.base import TextKind, Unit
from moosproxy.compressor.kinds.blocks import split
from tests.compressor.kinds.kept_lines import (
    best,
    check_marks,
    check_units,
    closed,
    edited,
    growth,
    kinds,
    rows_of,
)

BUCKET = '''import asyncio
import logging
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass
class Pail:
    """Fills again over time."""

    capacity: int
    tokens: float = field(init=False)

    def take(self, amount=1):
        now = asyncio.get_event_loop().time()
        self.tokens = min(
            self.capacity,
            self.tokens + (now - self.updated) * self.speed,
        )
        # Never go below nothing.
        if self.tokens < amount:
            return False
        elif amount > self.capacity:
            raise ValueError(amount)
        else:
            self.tokens -= amount
        return True


class Gate:
    async def enter(self, key, timeout=5.0):
        deadline = asyncio.get_event_loop().time() + timeout
        while not self.pail.take():
            if asyncio.get_event_loop().time() > deadline:
                raise TimeoutError(key)
            await asyncio.sleep(0.05)
'''
NUMBERED = "\n".join(f"{number:6d}\t{line}" for number, line in enumerate(BUCKET.split("\n")[:-1], 1)) + "\n"

TYPESCRIPT = """import { readFile } from "fs/promises";

export interface Entry {
  name: string;
  size: number;
}

export async function load(path: string, limit = 10): Promise<Entry[]> {
  const text = await readFile(path, "utf8");
  if (!text) {
    return [];
  } else if (text.length > limit) {
    throw new Error(`too long: ${path} {`);
  } else {
    log(text);
  }
  switch (text[0]) {
    case "#":
      return [];
    default:
      skip(text);
  }
  return JSON.parse(text);
}
"""
C = """#include <stdio.h>

#define LIMIT 10

static int
clamp(int value)
{
#ifdef STRICT
    if (value > LIMIT)
        return -1;
#else
    value = value % LIMIT;
#endif
    if (value < 0)
        goto fail;
    return value;
fail:
    fprintf(stderr, "bad value }\\n");
    return -1;
}
"""
GO = """package main

import (
	"fmt"
	"os"
)

func run(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer file.Close()
	switch name {
	case "a":
		fmt.Println(name)
	default:
		fmt.Println("other")
	}
	return nil
}
"""
SHELL = """#!/bin/bash
set -euo pipefail

deploy() {
    local target="$1"
    if [ -z "$target" ]; then
        echo "no target" >&2
        exit 1
    else
        rsync -a build/ "$target"
    fi
    for host in $HOSTS; do
        ssh "$host" systemctl restart app
    done
}

deploy "$@"
"""
RUST = """use std::fs;

pub struct Cell<'a> {
    name: &'a str,
}

impl<'a> Cell<'a> {
    pub fn open(&self) -> Result<String, Error> {
        let text = fs::read_to_string(self.name)?;
        match text.len() {
            0 => return Err(Error::Empty),
            _ => {}
        }
        Ok(text)
    }
}
"""
RUBY = """require "json"

class Store
  def initialize(path)
    @path = path
  end

  def load
    return {} unless File.exist?(@path)
    JSON.parse(File.read(@path))
  rescue JSON::ParserError => e
    warn e.message
    raise
  end
end
"""
LUA = """local M = {}

function M.clamp(x, low, high)
  if x < low then
    return low
  elseif x > high then
    return high
  end
  return x
end

return M
"""
SOURCES = [BUCKET, NUMBERED, TYPESCRIPT, C, GO, SHELL, RUST, RUBY, LUA]


def units_of(text: str, question: str | None = None) -> list[Unit]:
    found = edited(text, question)
    assert len(found) == 1
    return list(found[0].units)


@pytest.mark.parametrize("text", SOURCES)
def test_a_file_is_one_block_of_code(text: str) -> None:
    assert kinds(text) == [TextKind.CODE]
    check_units(text, units_of(text))


@pytest.mark.parametrize(
    ("text", "wrap"),
    [
        (BUCKET, Wrap.HASH),
        (NUMBERED, Wrap.PLAIN),
        (TYPESCRIPT, Wrap.SLASHES),
        (C, Wrap.SLASHES),
        (GO, Wrap.SLASHES),
        (RUST, Wrap.SLASHES),
        (SHELL, Wrap.HASH),
        (RUBY, Wrap.HASH),
        (LUA, Wrap.DASHES),
    ],
)
def test_marks_are_comments_of_the_language(text: str, wrap: Wrap) -> None:
    assert {unit.wrap for unit in units_of(text)} == {wrap}


def test_a_fence_names_the_language() -> None:
    text = "Look:\n\n```python\nx = 1\ny = 2\n```\n"
    assert [(block.kind, block.hint) for block in split(text)] == [
        (TextKind.PROSE, ""),
        (TextKind.FENCE, ""),
        (TextKind.CODE, "python"),
        (TextKind.FENCE, ""),
    ]


PROSE = [
    "Import duties rose in March. If you return the goods, we refund the price; while stocks last.\n"
    "For each class of customer there is a policy. Return it to the sender, or let us know.\n"
    "Try again later, and do not break the seal. From here it is a short walk.\n",
    "# Setup\n\nWith the new release, install the package and import it.\nUse the form below (see page 3).\n"
    "Select a plan, then continue.\nReturn here when done.\n",
    "1. Open the settings.\n2. If the light is red, wait.\n3. For help, call us.\n4. While waiting, read on.\n",
    "§ 433 Der Verkäufer hat\na) die Sache zu übergeben;\nb) das Eigentum zu verschaffen;\nc) Mängel zu melden;\n",
    "The function f(x) = 2x is linear. Let g(x) = x + 1.\nThen f(g(x)) = 2x + 2, as shown in (3).\nThis is it.\n",
    "name: build\non: push\njobs:\n  test:\n    runs-on: linux\n    steps:\n      - run: make\n",
    '{\n  "name": "x",\n  "items": [\n    1,\n    2\n  ],\n  "open": true\n}\n',
    "SELECT id, name\nFROM users\nWHERE age > 3\nORDER BY name;\n",
    "[server]\nhost = local\nport = 80\n\n[client]\nretries = 3\n",
    "2024-05-01 12:00:00 INFO new worker(1)\n2024-05-01 12:00:01 ERROR failed: x\n2024-05-01 12:00:02 INFO end\n",
    "The price is\n$ 30 for members\n$ 40 for guests\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
]


@pytest.mark.parametrize("text", PROSE)
def test_what_only_looks_like_code_is_none(text: str) -> None:
    assert TextKind.CODE not in kinds(text)


def test_running_text_around_code_stays_running_text() -> None:
    text = f"Here is the module that fails for us.\n\n{BUCKET}\nWhy does the gate never open for us here?\n"
    assert kinds(text) == [TextKind.PROSE, TextKind.CODE, TextKind.PROSE]


def row_unit(text: str, units: list[Unit], row: str) -> int:
    at = text.index(row)
    return next(index for index, unit in enumerate(units) if unit.start <= at < unit.end)


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
    kept = "\n".join(rows_of(text, units, closed(units, {row_unit(text, units, inner)})))
    for header in headers:
        assert header in kept


@pytest.mark.parametrize("text", [TYPESCRIPT, C, GO, RUST])
def test_brackets_match_whatever_stays(text: str) -> None:
    units = units_of(text)
    for index, unit in enumerate(units):
        if unit.heads:
            continue
        code = re.sub(r"\"[^\"\n]*\"|`[^`]*`|'.'", "", "\n".join(rows_of(text, units, closed(units, {index}))))
        assert code.count("{") == code.count("}"), (text[unit.start : unit.end], code)


def test_what_goes_on_over_rows_is_one_statement() -> None:
    text = (
        "import os\n\n"
        "@decorated(\n    1,\n)\ndef one():\n    return os\n\n"
        'QUERY = """\ndef inside():\n    pass\n"""\n'
        "total = 1 + \\\n    2\n"
        "call(\n    one,\n    two,\n)\n"
    )
    units = units_of(text)
    pieces = [text[unit.start : unit.end] for unit in units]
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
    ranks = {BUCKET[unit.start : unit.end].strip().split("\n")[0]: unit.rank or 0.0 for unit in units_of(BUCKET)}
    assert ranks["class Gate:"] > ranks["return True"] > ranks["now = asyncio.get_event_loop().time()"]
    assert ranks["if self.tokens < amount:"] > ranks["self.tokens = min("]
    assert ranks["now = asyncio.get_event_loop().time()"] > ranks["import logging"]
    assert min(ranks.values()) <= ranks["# Never go below nothing."] < ranks["import logging"] + 1


def test_what_the_question_names_stays_with_its_surroundings() -> None:
    units = units_of(BUCKET, "What happens when the deadline of enter is over?")
    kept = "\n".join(rows_of(BUCKET, units, best(BUCKET, units, 0.4)))
    assert "deadline = asyncio" in kept and "raise TimeoutError(key)" in kept
    assert "raise ValueError(amount)" not in kept


Draw = Callable[[st.SearchStrategy[int]], int]

# Programs whose every statement has a number, so that a row tells where it comes from.


def _python(
    draw: Callable[[st.SearchStrategy[int]], int], depth: int, indent: str, number: Iterator[int]
) -> list[str]:
    rows: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(st.integers(0, 9 if depth < 4 else 3))
        n = next(number)

        def body() -> list[str]:
            return _python(draw, depth + 1, indent + "    ", number)

        if shape == 0:
            rows += [f"{indent}# about s{n}", f"{indent}s{n} = step({n})"]
        elif shape == 1:
            rows += [f"{indent}s{n} = call(", f"{indent}    'a b',", f"{indent})"]
        elif shape == 2:
            rows += [f"{indent}return s{n}.value", ""]
        elif shape == 3:
            rows += [f'{indent}s{n} = """', "text at the margin", f'{indent}"""']
        elif shape == 4:
            rows += [f"{indent}if s{n} > 1:", *body()]
            if draw(st.integers(0, 1)):
                rows += [f"{indent}elif s{next(number)} > 2:", *body()]
            if draw(st.integers(0, 1)):
                rows += [f"{indent}else:  # s{next(number)}", *body()]
        elif shape == 5:
            rows += [f"{indent}try:  # s{n}", *body(), f"{indent}except s{next(number)}.Error:", *body()]
        elif shape == 6:
            rows += [f"{indent}for s{n} in range(3):", *body()]
        elif shape == 7:
            rows += [f"{indent}@wrapped", f"{indent}def s{n}(a, b=1):", f'{indent}    """Says."""', *body(), ""]
        elif shape == 8:
            rows += ["", f"{indent}class S{n}(Base):  # s{n}", *body()]
        else:
            rows += [f"{indent}with s{n}.open() as handle:", *body()]
    return rows


def _braces(
    draw: Callable[[st.SearchStrategy[int]], int], depth: int, indent: str, number: Iterator[int]
) -> list[str]:
    rows: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        shape = draw(st.integers(0, 7 if depth < 4 else 2))
        n = next(number)

        def body() -> list[str]:
            return _braces(draw, depth + 1, indent + "  ", number)

        if shape == 0:
            rows += [f"{indent}// about s{n} {{", f"{indent}const s{n} = step({n});"]
        elif shape == 1:
            rows += [f"{indent}s{n}(", f'{indent}  "a }} b",', f"{indent});"]
        elif shape == 2:
            rows += [f"{indent}return s{n};", ""]
        elif shape == 3:
            rows += [f"{indent}if (s{n} > 1) {{", *body()]
            if draw(st.integers(0, 1)):
                rows += [f"{indent}}} else if (s{next(number)}) {{", *body()]
            if draw(st.integers(0, 1)):
                rows += [f"{indent}}} else {{ // s{next(number)}", *body()]
            rows += [f"{indent}}}"]
        elif shape == 4:
            rows += [f"{indent}function s{n}(a, b)", f"{indent}{{", *body(), f"{indent}}}"]
        elif shape == 5:
            rows += [f"{indent}for (let i = 0; i < s{n}; i++) {{", *body(), f"{indent}}}"]
        elif shape == 6:
            rows += [f"{indent}run(s{n}, () => {{", *body(), f"{indent}}});"]
        else:
            rows += [f"{indent}switch (s{n}) {{", f"{indent}case s{next(number)}:", *body(), f"{indent}}}"]
    return rows


Maker = Callable[[Draw, int, str, Iterator[int]], list[str]]


@st.composite
def programs(draw: Draw, maker: Maker, fence: str) -> str:
    number = iter(range(1, 10**6))
    rows: list[str] = []
    for _ in range(draw(st.integers(1, 5))):
        rows += maker(draw, 0, "", number)
    return f"```{fence}\n" + "\n".join(rows) + "\n```\n"


_TAG = re.compile(r"\bs\d+\b")
_BRANCH = re.compile(r"(?:\} )?(?:elif|else|except)\b")


def chains(rows: list[str]) -> dict[str, tuple[str, ...]]:
    """For the first row of each statement the headers that it stands under, as indentation tells them."""
    found: dict[str, tuple[str, ...]] = {}
    stack: list[tuple[int, str, tuple[str, ...]]] = []
    for row in rows:
        tag = _TAG.search(row)
        if tag is None or row.lstrip().startswith(("#", "//")):
            continue
        column = len(row) - len(row.lstrip())
        before: tuple[str, ...] = ()
        while stack and stack[-1][0] >= column:
            popped = stack.pop()
            if popped[0] == column and _BRANCH.match(row.lstrip()):
                before = (popped[1], *popped[2])
        chain = before or ((stack[-1][1], *stack[-1][2]) if stack else ())
        stack.append((column, tag[0], chain))
        found[tag[0]] = chain
    return found


@settings(max_examples=60, deadline=None)
@given(programs(_python, "python"), st.data())
def test_no_statement_of_python_moves_to_another_block(text: str, data: st.DataObject) -> None:
    units = list(edited(text)[1].units)
    before = chains(text.split("\n"))
    chosen = data.draw(st.sets(st.sampled_from([i for i, unit in enumerate(units) if not unit.heads])))
    for kept in (closed(units, chosen), best(text, units, 0.4)):
        for tag, chain in chains(rows_of(text, units, kept)).items():
            assert before[tag] == chain


@settings(max_examples=60, deadline=None)
@given(programs(_braces, "js"), st.data())
def test_no_statement_in_braces_moves_to_another_block(text: str, data: st.DataObject) -> None:
    units = list(edited(text)[1].units)
    before = chains(text.split("\n"))
    chosen = data.draw(st.sets(st.sampled_from([i for i, unit in enumerate(units) if not unit.heads])))
    for kept in (closed(units, chosen), best(text, units, 0.4)):
        rows = rows_of(text, units, kept)
        for tag, chain in chains(rows).items():
            assert before[tag] == chain
        code = re.sub(r'"[^"]*"|//.*', "", "\n".join(rows))
        assert code.count("{") == code.count("}")
        assert code.count("(") == code.count(")")


@pytest.fixture(scope="module")
def compressor() -> Iterator[Compressor]:
    with Compressor.load() as loaded:
        yield loaded


@settings(max_examples=15, deadline=None)
@given(
    text=programs(_python, "python"),
    ratio=st.sampled_from([1.5, 2.0, 4.0]),
    question=st.sampled_from(["What does s7 do?", "Where is the Error caught?"]),
)
def test_what_is_left_are_rows_and_marks_that_count(
    compressor: Compressor, text: str, ratio: float, question: str
) -> None:
    short = compressor.compress(text, CompressionSettings(ratio=ratio, question=question)).text
    check_marks(text, short)
    before = chains(text.split("\n"))
    for tag, chain in chains(short.split("\n")).items():
        assert before[tag] == chain


@pytest.mark.parametrize("text", SOURCES)
@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 4.0])
def test_sources_at_every_ratio(compressor: Compressor, text: str, ratio: float) -> None:
    question = CompressionSettings(ratio=ratio, question="What does the deadline or the limit do?")
    short = compressor.compress(text, question).text
    check_marks(text, short)
    assert len(short) < len(text)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab \t\n\r{}()[]\"'`#/*\\:;=<>-\ud800\x00é中1"), max_size=300))
def test_any_text_in_a_fence_has_units(text: str) -> None:
    for language in ("python", "c", "sh", "rust", "lua", "ruby", "tex", "php", "html"):
        whole = f"```{language}\nx\n{text}\n```\n"
        for block in edited(whole):
            for unit in block.units:
                assert 0 <= unit.start < unit.end <= len(whole)
                assert unit.head < len(block.units)
                seen, at = set(), unit.head
                while at >= 0:
                    assert at not in seen
                    seen.add(at)
                    at = block.units[at].head


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "def f(x):\n    return x\n" * n,
        lambda n: "```python\n" + "".join(" " * (i % 60) + "if x:\n" for i in range(n)) + "```",
        lambda n: "```c\n" + "{\n" * n + "```",
        lambda n: "```c\n" + "#if A\n" * n + "#else\n" * n + "```",
        lambda n: "```c\n" + "/* a\n" * n + "```",
        lambda n: '```python\nx = """\n' + "a\n" * n + '"""\n```',
        lambda n: "```python\n" + "x(\n" * n + "```",
        lambda n: "```js\n" + "if (a) {\n" + "} else if (b) {\n" * n + "}\n```",
        lambda n: "```js\nx = '" + "\\'" * n + "\n```",
        lambda n: "# comment only\n" * n,
        lambda n: "x = 1\n" * n,
        lambda n: "$ a\n" * n,
        lambda n: "import a\n\nThis is a sentence of running text, nothing else.\n" * n,
    ],
)
def test_time_grows_with_the_text_and_no_faster(make: Callable[[int], str]) -> None:
    assert growth(edited, make, 400) < 12
