"""Columns of blanks: `ls -l`, `df`, `ps`, `docker ps`, `kubectl get`, `pip list`. Whole rows, and their header."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks

AHEAD = 4
"""Rows looked at below a header."""
GAP = 6
"""Rows between the files of two folders, at most."""
LINE = 1000
"""Characters of a row that are looked at."""

_FILE = re.compile(r"\s{0,2}[-dlbcpsDMCPn][-rwxsStTl]{9}[@+.]?\s{1,8}\d{1,9}\s")
_TOTAL = re.compile(r"total \d+(?:[.,]\d)?[KMGT]?\s*$")
_WORD = re.compile(r"\S+")
_GAP = re.compile(r"\s{2,}|\t")
_NAME = re.compile(r"[A-Z%#][A-Z\d%#_()/:.+-]*$|[A-Z%#][\w%()/:.-]*$|on$")
_DASHES = re.compile(r"\s*[-=]{2,}(?:\s+[-=]{2,})+\s*$")


class Listing:
    """Rows of a long file listing, or rows that line up below the words of a header."""

    kind = TextKind.LISTING

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Three rows or more that line up."""
        if not ranks.plain(hint):
            return at
        end = _files(rows, at)
        return end if end > at else _columns(rows, at)

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit; the header stays, that of a folder as long as one of its rows."""
        rows = Rows(text, block.start, block.end)
        heads = list(_headers(rows))
        heading = {row for first, behind in heads for row in range(first, behind)}
        bodies = [row for row in range(len(rows)) if row not in heading and not rows.blank(row)]
        pieces = [rows.line(row) for row in bodies]
        names = max(len(_GAP.split(rows.line(0).strip())), 1) if len(rows) else 1
        worth = ranks.worth(pieces, asked, ranks.rare_values([_cells(piece, names) for piece in pieces]))
        found = [(first, behind, None) for first, behind in heads]
        ordered = sorted(found + [(row, row + 1, rank) for row, rank in zip(bodies, worth, strict=True)])
        units: list[Unit] = []
        head = -1
        for first, behind, rank in ordered:
            span = (rows.spans[first][0], rows.spans[behind - 1][1])
            if rank is None:
                head = len(units)
                units.append(Unit(*span, rank=0.0, must=first == 0, heads=True, noun=Noun.ROWS))
            else:
                units.append(Unit(*span, rank=rank, head=head, noun=Noun.ROWS))
        return Edited(units)


def _files(rows: Rows, at: int) -> int:
    """The row behind a long file listing, of several folders perhaps; the row itself if none begins there."""
    end = row = at
    files = 0
    while row < len(rows) and row - end <= GAP:
        if _FILE.match(rows.line(row)[:LINE]):
            files, end = files + 1, row + 1
        elif not rows.blank(row) and not _folder(rows, row):
            break
        row += 1
    return end if files >= 3 else at


def _folder(rows: Rows, row: int) -> bool:
    """Whether a row tells the folder of the files below it, or their total."""
    line = rows.line(row)[:LINE]
    if _TOTAL.match(line):
        return True
    below = rows.line(row + 1)[:LINE] if row + 1 < len(rows) else ""
    return line.endswith(":") and bool(_TOTAL.match(below) or _FILE.match(below))


def _headers(rows: Rows) -> Iterator[tuple[int, int]]:
    """(first row, row behind) of each header."""
    if not any(_FILE.match(rows.line(row)[:LINE]) for row in range(min(len(rows), GAP))):
        yield 0, min(len(rows), 1 + (len(rows) > 1 and bool(_DASHES.match(rows.line(1)[:LINE]))))
        return
    row = 0
    while row < len(rows):
        behind = row
        while behind < len(rows) and behind - row < 2 and _folder(rows, behind):
            behind += 1
        if behind > row:
            yield row, behind
        row = max(behind, row + 1)


def _columns(rows: Rows, at: int) -> int:
    """The row behind those that line up below the header at a row; that row itself if it is none."""
    header = rows.line(at)[:LINE].rstrip()
    if not _GAP.search(header.strip()):
        return at
    words = list(_WORD.finditer(header))
    ruled = at + 1 < len(rows) and bool(_DASHES.match(rows.line(at + 1)[:LINE]))
    if len(words) < 2 or (len(words) < 3 and not ruled):
        return at
    named = sum(bool(_NAME.match(word[0])) for word in words)
    if not ruled and (named < len(words) or len(words) > 40):
        return at
    ruler = _WORD.finditer(rows.line(at + 1)[:LINE]) if ruled else words
    borders = [word.span() for word in ruler]
    first = at + 1 + ruled
    ahead = [rows.line(row)[:LINE] for row in range(first, min(len(rows), first + AHEAD)) if not rows.blank(row)]
    if not ahead or sum(_lines_up(line, borders) for line in ahead) < max(2 - ruled, (len(ahead) + 1) // 2):
        return at
    end = first
    while end < len(rows) and not rows.blank(end) and _belongs(rows.line(end)[:LINE], borders):
        end += 1
    return end


def _lines_up(line: str, borders: list[tuple[int, int]]) -> bool:
    """Whether most words of the header begin or end where a word of the row does."""
    words = [match.span() for match in _WORD.finditer(line)]
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    hits = sum(start in starts or end in ends for start, end in borders)
    return len(words) > 1 and hits * 3 >= len(borders) * 2


def _belongs(line: str, borders: list[tuple[int, int]]) -> bool:
    """Whether a row goes on: it lines up, or a long cell has pushed its columns aside."""
    return _lines_up(line, borders) or (len(line.split()) >= max(3, len(borders) - 2) and bool(_GAP.search(line)))


def _cells(row: str, names: int) -> list[str]:
    """The cells of a row: between wide gaps where the header has so many, else the words."""
    wide = _GAP.split(row[:LINE].strip())
    return wide if len(wide) >= names > 2 else row[:LINE].split()
