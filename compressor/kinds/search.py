"""Hits of a search: `grep -n`, `rg` plain and with headings, and compilers' messages of the same form. Whole lines."""

from __future__ import annotations

import re

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds import ranks
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.protect.outcomes import severity
from moosproxy.compressor.text.layout import Span

AHEAD = 4
"""Hits looked at."""
HEAD = 400
"""Characters of a row that are looked at for its path and number."""
GAP = 3
"""So many rows that are no hits may stand between two (blank ones, separators, what a compiler adds)."""

_NAME = r"[\w@~.+,#$%()\[\]/\\-]"
_HIT = re.compile(
    r"(?!\d{4}-\d\d-\d\d[T_]\d\d:|[\d\[(]+:\d\d:)(?:(?P<path>(?:[A-Za-z]:[\\/])?(?=[^:]*[^\W\d])"
    rf"{_NAME}{{1,250}}?)(?<!\d[T_]\d\d):\d{{1,7}}:|(?P<context>{_NAME}{{1,250}}?(?<=[./\\\w])(?:[/\\]|\.[a-z]\w{{0,7}}(?=-)){_NAME}{{0,60}}?)-\d{{1,7}}-)"
)
_FILED = re.compile(rf"(?P<path>(?=[^\s:]*[./]){_NAME}{{2,250}}):(?=\S|\s{{2,}}\S)(?!//)")
_NUMBERED = re.compile(r"(?P<number>\d{1,7})[:-](?!\d\d(?:[:.\s-]|$))")
_HEADING = re.compile(rf"(?![-=#*>|]){_NAME}{{2,250}}$")
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
        if _HIT.match(first) or _FILED.match(first):
            hits = sum(_place(rows, row) is not None for row in range(at, min(len(rows), at + AHEAD)))
            return _end(rows, at) if hits >= min(3, AHEAD) and _paths(rows, at) else at
        if _NUMBERED.match(first) and _rising(rows, at):
            return _end(rows, at)
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit, below the heading of its file if there is one."""
        rows = Rows(text, block.start, block.end)
        units: list[Unit] = []
        found: list[tuple[Span, int]] = []  # each hit with its heading's row, -1 for none
        heads: dict[int, Span] = {}
        firsts, seen = set(), set()
        heading = -1
        for row, span in enumerate(rows.spans):
            if rows.blank(row):
                heading = -1
            elif _heading(rows, row):
                heading = row
                heads[row] = span
            else:
                place = (heading, _place(rows, row) or "")
                if place not in seen:
                    firsts.add(len(found))
                    seen.add(place)
                found.append((span, heading))
        pieces = [text[start:end] for (start, end), _ in found]
        worth = ranks.worth(pieces, asked, _severe(pieces), firsts)
        index: dict[int, int] = {}
        for (span, row), rank in zip(found, worth, strict=True):
            if row >= 0 and row not in index:
                index[row] = len(units)
                units.append(Unit(*heads[row], rank=0.0, heads=True))
            units.append(Unit(*span, rank=rank, head=index.get(row, -1), noun=Noun.LINES))
        units += [Unit(*span, rank=0.0) for row, span in heads.items() if row not in index]
        return Edited(sorted_by_start(units) if len(index) < len(heads) else units)


def sorted_by_start(units: list[Unit]) -> list[Unit]:
    """Units in order, their heads followed."""
    order = sorted(range(len(units)), key=lambda index: units[index].start)
    place = {old: new for new, old in enumerate(order)}
    moved = []
    for old in order:
        unit = units[old]
        head = place[unit.head] if unit.head >= 0 else -1
        moved.append(Unit(unit.start, unit.end, unit.rank, head=head, noun=unit.noun, heads=unit.heads))
    return moved


def _place(rows: Rows, row: int) -> str | None:
    """The path of a hit, "" for one that has but a number; None for a row that is no hit."""
    line = rows.line(row)[:HEAD]
    if match := _HIT.match(line):
        return str(match["path"] or match["context"])
    if match := _FILED.match(line):
        return str(match["path"])
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
    rises = all(left < right for left, right in zip(numbers, numbers[1:], strict=False))
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


def _severe(pieces: list[str]) -> list[float]:
    """How much a hit that tells of a fault stands out, 0 where most do."""
    severe = [any(True for _ in severity(piece[:HEAD])) for piece in pieces]
    share = sum(severe) / max(len(severe), 1)
    return [(1 - share) * flag if share < 0.3 else 0.0 for flag in severe]
