"""Rows of running text as headings, items of lists, quoted paragraphs and paragraphs. Linear."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

import regex

from moosproxy.compressor.kinds.base import Rows
from moosproxy.compressor.protect.asked.phrasing import PASSAGE_HEADER
from moosproxy.compressor.text.layout import trimmed
from moosproxy.compressor.text.patterns import Pattern

TITLE = 80
"""A line of more characters is no heading."""
WIDEST = 200
"""Rows with more characters are not wrapped by hand."""
NARROWEST = 40

_BULLET = Pattern(
    r"\s{0,24}(?:[-*+•‣◦–]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)])\s+\S|\s{0,24}(?:\d{1,2}、|（[一二三四五六七八九十\d]+）)"
)
_NUMBERED = Pattern(r"\s{0,3}\(?(?:\d{1,3}|[A-Z]|[IVX]{1,4})[.)]\s+\p{Lu}")
_HASHES = Pattern(r"\s{0,3}(\#{1,6})\s")
_NAMED = Pattern(
    r"\s{0,3}(?:(?:Chapter|CHAPTER|Section|SECTION|Article|ARTICLE|Part|Kapitel|Abschnitt|Chapitre|Capítulo|Sección"
    r"|Глава|Раздел|Статья|§)\s?[\dIVX]|\d{1,2}(?:\.\d{1,2}){1,3}\.?\s\p{Lu}|第[一二三四五六七八九十百\d]{1,5}[章节節条條編部])"
)
_ENDED = Pattern(r".*[.!?…:;,。！？：；，、।][\"'”’»)\]*_」』）]*\s*$", regex.DOTALL)
_SENTENCE_END = Pattern(r".*[.!?…。！？।;,；，][\"'”’»\]*_」』）]*\s*$", regex.DOTALL)
_QUOTED = Pattern(r"\s{0,3}>")
_RULE = Pattern(r"\s{0,3}(?:[-=*_~]\s?){3,}\s*$")


class Role(Enum):
    """What a piece of running text is."""

    HEADING = 1
    ITEM = 2
    QUOTE = 3
    TEXT = 4


class Piece(NamedTuple):
    """text[start:end], trimmed. level: of a heading, 1 for the highest; of an item, its indentation."""

    start: int
    end: int
    role: Role
    level: int = 0


def split(rows: Rows) -> Iterator[Piece]:
    """The pieces in order; together they hold every row that is not blank."""
    at = 0
    while at < len(rows):
        if rows.blank(at):
            at += 1
            continue
        end = at
        while end < len(rows) and not rows.blank(end):
            end += 1
        yield from _paragraph(rows, at, end)
        at = end


def _paragraph(rows: Rows, at: int, end: int) -> Iterator[Piece]:
    width = _width(rows, at, end)
    start = at
    while start < end:
        line = rows.line(start)
        level = heading(rows, start, at, end)
        if level:
            yield _piece(rows, start, start + 1, Role.HEADING, level)
            start += 1
            continue
        role = Role.QUOTE if _QUOTED.match(line) else Role.ITEM if _BULLET.match(line[:40]) else Role.TEXT
        stop = start + 1
        while stop < end and _goes_on(rows, stop, role, width) and not heading(rows, stop, at, end):
            stop += 1
        yield _piece(rows, start, stop, role, len(line) - len(line.lstrip()))
        start = stop


def _width(rows: Rows, at: int, end: int) -> int:
    """How long rows wrapped by hand are at most; 0 where they are not wrapped."""
    longest = max(rows.spans[row][1] - rows.spans[row][0] for row in range(at, end))
    if end - at < 2 or not NARROWEST <= longest <= WIDEST:
        return 0
    full = sum(_full(rows, row, longest) for row in range(at, end - 1))
    return longest if 2 * full > end - at - 1 else 0


def _full(rows: Rows, row: int, width: int) -> bool:
    """Whether the first word of the next row would not have fitted into this one."""
    word = rows.line(row + 1).split(maxsplit=1)[0]
    return len(rows.line(row)) + len(word[:20]) + 1 > width - 2


def heading(rows: Rows, row: int, first: int, end: int) -> int:
    """The level of a row that heads what follows, 0 for any other row. first, end: rows of its paragraph."""
    line = rows.line(row)[: 2 * TITLE]
    if hashes := _HASHES.match(line):
        return len(hashes[1])
    if _RULE.match(line):
        return 0
    if len(line) > TITLE:
        return 6 if len(line) < 2 * TITLE and _passage(line) and row + 1 < len(rows) else 0
    item = bool(_BULLET.match(line))
    if (_NAMED.match(line) or (_passage(line) and not item)) and not _SENTENCE_END.match(line):
        return 6
    if _ENDED.match(line) or (item and not _NUMBERED.match(line)) or _QUOTED.match(line):
        return 0
    return 6 if _titles(rows, row, first, end, item=item) else 0


def _passage(line: str) -> bool:
    return bool(PASSAGE_HEADER.match(line))


def _titles(rows: Rows, row: int, first: int, end: int, *, item: bool) -> bool:
    """Whether a short row stands alone above a long one. A numbered one has to have its paragraph for itself."""
    line = rows.line(row)
    behind = row + 1
    while behind < len(rows) and behind < row + 3 and rows.blank(behind):
        behind += 1
    alone = first == row and row + 1 == end
    if not (alone or (first == row and not item and len(line) < TITLE // 2)) or behind >= len(rows):
        return False
    following = rows.line(behind)[: 3 * TITLE]
    return (
        len(following) > max(TITLE // 2, 2 * len(line)) and len(line.split()) < 12 and not _BULLET.match(following)
    )


def _goes_on(rows: Rows, row: int, role: Role, width: int) -> bool:
    """Whether a row continues what the row before it says: wrapped by hand, or an item's indented line."""
    line, before = rows.line(row), rows.line(row - 1)
    if role is Role.QUOTE:
        return bool(_QUOTED.match(line))
    if _BULLET.match(line[:40]) or _QUOTED.match(line):
        return False
    if role is Role.ITEM and line.startswith((" ", "\t")):
        return True
    if width and _full(rows, row - 1, width):
        return True
    return not _ENDED.match(before) and (line.lstrip()[:1].islower() or role is Role.ITEM)


def _piece(rows: Rows, first: int, stop: int, role: Role, level: int) -> Piece:
    start, end = trimmed(rows.text, rows.spans[first][0], rows.spans[stop - 1][1])
    return Piece(start, end, role, level)
