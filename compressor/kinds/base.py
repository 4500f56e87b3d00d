"""What a kind of text is made of: rows to look at, blocks, units that stay or go whole, and marks for what went.

An editor knows one kind. It tells where a block of its kind begins and ends, and splits it into units. It knows no
model: units whose worth only the model can tell leave `rank` open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, pairwise
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from moosproxy.compressor.kept import Noun, Span, Wrap

_T = TypeVar("_T")

SHORT_CHARS = 24
"""Rows of more characters are long."""

TERM_CHARS = 3
"""A word of a question of fewer characters names nothing."""


class TextKind(StrEnum):
    """What a block is, told by its content."""

    PROSE = "prose"
    DIALOGUE = "dialogue"
    CODE = "code"
    DIFF = "diff"
    SQL = "sql"
    CONFIG = "config"
    TEMPLATE = "template"
    JSON = "json"
    CSV = "csv"
    TABLE = "table"
    LISTING = "listing"
    SEARCH = "search"
    PATHS = "paths"
    LOG = "log"
    TRACE = "trace"
    MARKUP = "markup"
    FENCE = "fence"
    LINES = "lines"


class Block(NamedTuple):
    """A stretch of whole rows of one kind; start and end are character offsets, the last line break not included.

    hint: the language that a fence names, in lower case, "" for none.
    """

    start: int
    end: int
    kind: TextKind
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """What stays or goes whole.

    rank: higher stays longer, compared with units of the same block alone; None: the model's scores decide, within
    one budget for all such units of the text. must: stays whatever the budget.
    head: index, among the same editor's units, of the unit that stays as long as this one does (a heading, a
    speaker, a header); -1 for none. heads: this unit is one, and never chosen for itself.
    noun, wrap, count: how a mark tells that it went, and as how many.
    fact: what it says on its own keeps it in a short text that nobody asks about (a bare answer, a rule).
    """

    start: int
    end: int
    rank: float | None = None
    must: bool = False
    head: int = -1
    noun: Noun = Noun.LINES
    wrap: Wrap = Wrap.PLAIN
    count: int = 1
    fact: bool = False
    heads: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """A block as units, ascending and disjoint; what lies between two of them is white space.

    drops: what goes whatever the ratio because it carries nothing (white space of JSON, markup), inside of units.
    cuts: words that may go from a unit that stays, where every word has to earn its place. All spans ascend.
    """

    units: Sequence[Unit]
    drops: Sequence[Span] = ()
    cuts: Sequence[Span] = ()


class Rows:
    """The lines of a text, looked at by number."""

    def __init__(self, text: str, start: int = 0, end: int | None = None) -> None:
        """start, end: only that part of the text; it should begin and end at line borders."""
        stop = len(text) if end is None else end
        self.text = text
        found = text[start:stop].split("\n")
        ends = list(accumulate((len(line) + 1 for line in found), initial=start))
        self.spans: list[Span] = [(s, e - 1) for s, e in pairwise(ends)]
        # Editors look at a row many times, and at every row: cut once, a long one is not copied again.
        self._lines = [line.rstrip("\r") for line in found] if "\r" in text else found
        self._blank = [len(line) < 200 and not line.strip() for line in found]
        self._known: dict[str, Any] = {}
        self.told: dict[tuple[str, int], int] = {}
        """What an editor has found a row to be, by its own name for it, so that no row is looked at twice."""
        self.refused: Counter[tuple[str, ...]] = Counter()
        """How often short rows, with those behind them, were claimed by nobody."""

    def __len__(self) -> int:
        return len(self.spans)

    def once(self, name: str, find: Callable[[], _T]) -> _T:
        """What is found in one look at all rows and asked for again at many of them, under its name."""
        if name not in self._known:
            self._known[name] = find()
        found: _T = self._known[name]
        return found

    def short(self, row: int, count: int) -> tuple[str, ...]:
        """The row and those behind it, so many together; nothing if they are long, or fewer."""
        last = row + count - 1
        if last >= len(self.spans) or self.spans[last][1] - self.spans[row][0] > SHORT_CHARS * count:
            return ()
        return tuple(self._lines[row : last + 1])

    def line(self, row: int) -> str:
        """The row without its line break."""
        return self._lines[row]

    def blank(self, row: int) -> bool:
        """Whether the row holds nothing but white space."""
        return self._blank[row]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about the text: terms of the question, lower case; empty where nobody asks.

    json: how much of JSON may go, as in CompressionSettings.
    """

    text: str | None = None
    terms: frozenset[str] = field(default=frozenset())
    json: Literal["lossless", "prose", "rows"] = "prose"

    def named(self, piece: str) -> int:
        """How many terms of the question occur in the piece."""
        if not self.terms:
            return 0
        low = piece.lower()
        return sum(term in low for term in self.terms)


class Editor(Protocol):
    """Knows one kind."""

    kind: TextKind

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """The row behind the block of this kind that begins at row `at`, or `at` if none does.

        hint: the language of the fence around the rows, "" outside of one. Deterministic, and linear over a whole
        text: what is looked at beyond the claimed rows is bounded.
        """

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """The block's units. Linear in its length; never raises for what a block holds."""


def row_units(text: str, block: Block) -> list[Unit]:
    """Every row of the block that is not blank as a unit, its indentation included."""
    rows = Rows(text, block.start, block.end)
    return [Unit(s, e) for row, (s, e) in enumerate(rows.spans) if not rows.blank(row)]
