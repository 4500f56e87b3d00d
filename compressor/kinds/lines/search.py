"""Hits of a search, whole lines: `grep -n`, `rg` plain and with headings, compilers' messages of the same form."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks

AHEAD = 4
"""Hits looked at."""
HEAD = 400
"""Characters of a row that are looked at for its path and number."""
SEVERE = 0.3
"""Where a larger share of the hits tells of faults, faults are what was searched for."""
GAP = 3
"""So many rows that are no hits may stand between two (blank ones, separators, what a compiler adds)."""

_NAME = r"[\w@~.+,#$%()\[\]/\\-]"
_HIT = re.compile(
    r"(?!\d{4}-\d\d-\d\d[T_]\d\d:|[\d\[(]+:\d\d:)(?P<path>(?:[A-Za-z]:[\\/])?(?=[^:]*[^\W\d])"
    rf"{_NAME}{{1,250}}?)(?<!\d[T_]\d\d):\d{{1,7}}:"
)
_CONTEXT = re.compile(rf"(?P<path>{_NAME}{{1,250}}?(?:[/\\]|\.[a-z]\w{{0,7}}(?=-)){_NAME}{{0,60}}?)-\d{{1,7}}-")
_FILED = re.compile(rf"(?P<path>(?=[^\s:]*[./]){_NAME}{{2,250}}):(?=\S|\s{{2,}}\S)(?!//)")
_NUMBERED = re.compile(r"(?P<number>\d{1,7})[:-](?!\d\d(?:[:.\s-]|$))")
_HEADING = re.compile(rf"(?![-=#*>|])(?=.{{0,60}}[^\W\d]){_NAME}{{2,250}}$")
_ASIDE = re.compile(r"\d{1,7}-")
_BESIDE = 1.0  # less worth than a hit, but for what the question names
_HEADED = re.compile(r"[./\\]|^[A-Z]\w+file$")
_FILE = re.compile(r"[/\\]|\.\w{1,8}$")
_SEPARATOR = re.compile(r"--$|-{3,}$")


class Search:
    """Rows that begin with where they were found."""

    kind = TextKind.SEARCH

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Hits with path and number; with a number below their file's heading, or in rising order."""
        if not ranks.plain(hint) and hint not in ("grep", "rg"):
            return at
        if _heading(rows, at):
            return _end(rows, at)
        first = rows.line(at)[:HEAD]
        if _HIT.match(first) or _CONTEXT.match(first) or _FILED.match(first):
            return _end(rows, at) if _paths(rows, at) else at
        if _NUMBERED.match(first) and _rising(rows, at):
            return _end(rows, at)
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit, below the heading of its file if there is one."""
        rows = Rows(text, block.start, block.end)
        found: list[_Found] = []
        firsts: set[int] = set()
        seen: set[tuple[int, str]] = set()
        heading = -1
        for row in range(len(rows)):
            if rows.blank(row):
                heading = -1
                continue
            beside = _beside(rows, row)
            if _heading(rows, row):
                heading = row
            elif not beside and (place := (heading, _place(rows, row) or "")) not in seen:
                firsts.add(len(found))
                seen.add(place)
            found.append(_Found(row, heading, beside))
        return Edited(_units(rows, found, asked, firsts))


class _Found(NamedTuple):
    """A row, that of its heading, -1 for none, and whether it only stands around a hit."""

    row: int
    heading: int
    beside: bool


def _units(rows: Rows, found: list[_Found], asked: Asked, firsts: set[int]) -> list[Unit]:
    pieces = [rows.line(one.row) for one in found]
    worth = ranks.worth(pieces, asked, _severe(rows, [one.row for one in found]), firsts)
    index = {one.row: place for place, one in enumerate(found) if one.row == one.heading}
    units = []
    for (row, heading, beside), rank in zip(found, worth, strict=True):
        if row == heading:
            units.append(Unit(*rows.spans[row], rank=0.0, heads=True))
        else:
            level = rank - _BESIDE * beside
            units.append(Unit(*rows.spans[row], rank=level, head=index.get(heading, -1), noun=Noun.LINES))
    return units


def _beside(rows: Rows, row: int) -> bool:
    """Whether a row is not a hit itself but stands around one."""
    line = rows.line(row)[:HEAD]
    return bool(_SEPARATOR.match(line) or _ASIDE.match(line) or (_CONTEXT.match(line) and not _HIT.match(line)))


def _place(rows: Rows, row: int) -> str | None:
    """The path of a hit, "" for one that has but a number; None for a row that is no hit."""
    line = rows.line(row)[:HEAD]
    match = _HIT.match(line) or _CONTEXT.match(line) or _FILED.match(line)
    if match:
        return match["path"]
    return "" if _NUMBERED.match(line) else None


def _paths(rows: Rows, at: int) -> bool:
    """Whether what stands before the numbers looks like paths: it comes back, or has a slash or an ending."""
    found = [path for row in range(at, min(len(rows), at + AHEAD)) if (path := _place(rows, row))]
    named = [path for path in found if _FILE.search(path)]
    numbered = sum(bool(_HIT.match(rows.line(row)[:HEAD])) for row in range(at, min(len(rows), at + AHEAD)))
    return len(named) >= 3 or (numbered >= 3 and len(set(found)) < len(found))


def _rising(rows: Rows, at: int) -> bool:
    """Whether the numbers of the next rows rise, with gaps: without any they are a file with numbered lines."""
    numbers = []
    for row in range(at, min(len(rows), at + AHEAD + 2)):
        match = _NUMBERED.match(rows.line(row)[:HEAD])
        if match:
            numbers.append(int(match["number"]))
        elif not _SEPARATOR.match(rows.line(row)[:HEAD]):
            break
    rises = all(left < right for left, right in pairwise(numbers))
    return len(numbers) >= 3 and rises and numbers[-1] - numbers[0] >= len(numbers)


def _heading(rows: Rows, row: int) -> bool:
    """Whether a row is the path of the file in which the numbered rows below it were found."""
    if row + 1 >= len(rows) or not _HEADING.match(rows.line(row)[:HEAD]) or "://" in rows.line(row)[:HEAD]:
        return False
    match = _NUMBERED.match(rows.line(row + 1)[:HEAD])
    return match is not None and bool(_HEADED.search(rows.line(row)[:HEAD]))


def _end(rows: Rows, at: int) -> int:
    end = row = at
    while row < len(rows) and row - end < GAP:
        if _place(rows, row) is not None or _heading(rows, row):
            end = row + 1
        elif (
            not rows.blank(row) and not _SEPARATOR.match(rows.line(row)[:HEAD]) and not rows.line(row)[0].isspace()
        ):
            break
        row += 1
    return end


def _severe(rows: Rows, found: list[int]) -> list[float]:
    """How much a hit that tells of a fault stands out, 0 where many do."""
    severe = ranks.faults(rows.text, [rows.spans[row] for row in found])
    share = sum(severe) / max(len(severe), 1)
    return [(1 - share) * flag if share < SEVERE else 0.0 for flag in severe]
