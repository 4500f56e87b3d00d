"""Programs whose every statement has a number, so that a row tells where it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[int]], int]
Shape = tuple[str | tuple[str, ...], ...]
"""Rows of a statement: a tuple may be left out, BODY stands for statements inside, $ for the row's number."""
BODY = "BODY"
DEEPEST = 4


@dataclass(frozen=True)
class Language:
    """How a language writes statements that hold no others, and those that do."""

    fence: str
    indent: str
    simple: tuple[Shape, ...]
    nesting: tuple[Shape, ...]


PYTHON = Language(
    fence="python",
    indent="    ",
    simple=(
        ("# about s$", "s$ = step($)"),
        ("s$ = call(", "    'a b',", ")"),
        ("return s$.value", ""),
        ('s$ = """\ntext at the margin', '"""'),
    ),
    nesting=(
        ("if s$ > 1:", BODY, ("elif s$ > 2:", BODY), ("else:  # s$", BODY)),
        ("try:  # s$", BODY, "except s$.Error:", BODY),
        ("for s$ in range(3):", BODY),
        ("@wrapped", "def s$(a, b=1):", '    """Says."""', BODY, ""),
        ("", "class S$(Base):  # s$", BODY),
        ("with s$.open() as handle:", BODY),
    ),
)
JAVASCRIPT = Language(
    fence="js",
    indent="  ",
    simple=(
        ("// about s$ {", "const s$ = step($);"),
        ("s$(", '  "a } b",', ");"),
        ("return s$;", ""),
    ),
    nesting=(
        ("if (s$ > 1) {", BODY, ("} else if (s$) {", BODY), ("} else { // s$", BODY), "}"),
        ("function s$(a, b)", "{", BODY, "}"),
        ("for (let i = 0; i < s$; i++) {", BODY, "}"),
        ("run(s$, () => {", BODY, "});"),
        ("switch (s$) {", "case s$:", BODY, "}"),
    ),
)


@st.composite
def programs(draw: Draw, language: Language) -> str:
    """In a fence that names the language."""
    number = count(1)
    rows = [row for _ in range(draw(st.integers(1, 5))) for row in _block(draw, language, number)]
    return "\n".join([f"```{language.fence}", *rows, "```\n"])


def _block(draw: Draw, language: Language, number: Iterator[int], depth: int = 0) -> list[str]:
    shapes = language.simple + (language.nesting if depth < DEEPEST else ())
    rows: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        rows += _statement(draw, language, number, depth, shapes[draw(st.integers(0, len(shapes) - 1))])
    return rows


def _statement(draw: Draw, language: Language, number: Iterator[int], depth: int, shape: Shape) -> list[str]:
    rows: list[str] = []
    for part in shape:
        if isinstance(part, tuple):
            rows += _statement(draw, language, number, depth, part) if draw(st.integers(0, 1)) else []
        elif part == BODY:
            rows += [language.indent + row if row else row for row in _block(draw, language, number, depth + 1)]
        else:
            rows.append(part.replace("$", str(next(number))))
    return rows


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


def check_chains(text: str, rows: list[str]) -> None:
    """Every statement that is left stands under the headers that it has in the text."""
    before = chains(text.split("\n"))
    for tag, chain in chains(rows).items():
        assert before[tag] == chain
