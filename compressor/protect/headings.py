"""Headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from moosproxy.compressor.text.layout import Span, lines, trimmed

LIMIT = 120
"""A heading has at most this many characters."""

_MARKDOWN = re.compile(r" {0,3}#{1,6}[ \t]+\S")
_UNDERLINE = re.compile(r" {0,3}(?:=={2,}|-{3,})[ \t\r]*$")
_NUMBERED = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){1,4}\.?|(?:Chapter|Section|Part|Article|Appendix|Kapitel|Chapitre|Capítulo|Глава)\s[\dIVXA-Z]{1,6}[.:]?|[IVX]{1,5}\.)"
    r"\s+[^\W\d_a-zа-я]|第[0-9一二三四五六七八九十百]{1,4}[章节節部条條]"
)
_ORDINAL = re.compile(r"\d{1,2}[.)]?\s+[A-Z\u0410-\u042f]|[一二三四五六七八九十]{1,3}、")
_CLOSED = (".", ",", ";", "?", "!", "。", "，", "；")


def heading(text: str) -> Iterator[Span]:
    """Markdown and underlined headings, numbered ones, and lines in capitals.

    "2.1 Methods" and "Chapter 4" count anywhere; "3. Methods" only between blank lines, or it is a list item.
    A line in capitals counts if its neighbours are not, so a text in capitals is not all headings.
    """
    before: Span | None = None  # the line before, None at the start
    capitals_before = False
    rows = [*lines(text), None]
    for row, after in pairwise(rows):
        if row is None:
            break
        start, end = row
        if end - start > LIMIT + 40:
            before, capitals_before = row, False
            continue
        inner = trimmed(text, start, end)
        line = text[inner[0] : inner[1]]
        capitals = _is_capitals(line)
        if (
            line
            and len(line) <= LIMIT
            and _is_heading(text, line, before, row, after, capitals and not capitals_before)
        ):
            yield inner
        before, capitals_before = row, capitals


def _is_heading(
    text: str, line: str, before: Span | None, row: Span, after: Span | None, lone_capitals: bool
) -> bool:
    if _MARKDOWN.match(text, *row):
        return True
    following = text[after[0] : min(after[1], after[0] + LIMIT + 40)].strip() if after else ""
    free_above = before is None or not text[before[0] : min(before[1], before[0] + 40)].strip()
    if following and after and _UNDERLINE.match(text, *after) and free_above and line[0] not in "|-=*#":
        return True
    if line.endswith(_CLOSED):
        return False
    if lone_capitals and not _is_capitals(following):
        return True
    return bool(_NUMBERED.match(line) or (free_above and not following and _ORDINAL.match(line)))


def _is_capitals(line: str) -> bool:
    """Whether a short line is written in capitals: four letters or more, one word of three, few digits."""
    if not line.isupper() or len(line) > LIMIT:
        return False
    letters = sum(map(str.isalpha, line))
    return letters >= 4 and letters * 2 >= len(line) and any(len(w.strip(":.,()")) > 2 for w in line.split())
