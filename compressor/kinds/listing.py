"""Columns of blanks: `ls -l`, `df`, `ps`, `docker ps`, `kubectl get`, `pip list`. Whole rows below their header."""

from __future__ import annotations

import re

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds import ranks
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit

AHEAD = 4
"""Rows looked at below a header."""
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
        files = at + bool(_TOTAL.match(rows.line(at)[:40]))
        end = files
        while end < len(rows) and _FILE.match(rows.line(end)[:LINE]):
            end += 1
        if end - files >= 3:
            return end
        return _columns(rows, at)

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit; the header stays."""
        rows = Rows(text, block.start, block.end)
        first = _header_rows(rows)
        spans = [span for row, span in enumerate(rows.spans) if row >= first and not rows.blank(row)]
        pieces = [text[start:end] for start, end in spans]
        names = max(len(_GAP.split(rows.line(0).strip())), 1) if first else 1
        worth = ranks.worth(pieces, asked, ranks.rare_values([_cells(piece, names) for piece in pieces]))
        units = []
        if first:
            units = [Unit(rows.spans[0][0], rows.spans[first - 1][1], must=True, heads=True, noun=Noun.ROWS)]
        head = 0 if first else -1
        units += [
            Unit(*span, rank=rank, head=head, noun=Noun.ROWS) for span, rank in zip(spans, worth, strict=True)
        ]
        return Edited(units)


def _columns(rows: Rows, at: int) -> int:
    """The row behind those that line up below the header at a row; that row itself if it is none."""
    header = rows.line(at)[:LINE].rstrip()
    words = list(_WORD.finditer(header))
    ruled = at + 1 < len(rows) and bool(_DASHES.match(rows.line(at + 1)[:LINE]))
    if len(words) < 2 or (len(words) < 3 and not ruled) or not _GAP.search(header.strip()):
        return at
    named = sum(bool(_NAME.match(word[0])) for word in words)
    if not ruled and (named < len(words) or len(words) > 40):
        return at
    borders = [(word.start(), word.end()) for word in words]
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


def _header_rows(rows: Rows) -> int:
    """How many rows the header has."""
    if not len(rows) or _FILE.match(rows.line(0)[:LINE]):
        return 0
    return 1 + (len(rows) > 1 and bool(_DASHES.match(rows.line(1)[:LINE])))


def _cells(row: str, names: int) -> list[str]:
    """The cells of a row: between wide gaps where the header has so many, else the words."""
    wide = _GAP.split(row[:LINE].strip())
    return wide if len(wide) >= names > 2 else row[:LINE].split()
