"""JSON: whole documents, one on each row, behind a label, a text that is one JSON string, and halves of documents.

What carries nothing goes whatever the ratio: white space between tokens, and the backslash of `\\/`. What else may
go is the caller's choice (`Asked.json`); keys, numbers, short strings and escapes are never touched, and what is
left parses. A document that was cut off is no JSON: its rows stay or go whole.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

import regex

from moosproxy.compressor.kept import Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.json.half import half, half_starts, half_units
from moosproxy.compressor.kinds.json.records import line_units, record_units
from moosproxy.compressor.kinds.json.strings import sentence_units
from moosproxy.compressor.text import json_grammar
from moosproxy.compressor.text.layout import trimmed
from moosproxy.compressor.text.patterns import Pattern
from moosproxy.compressor.text.sentences import sentences

LARGE = 80
"""Containers of fewer characters are left to the text around them."""
LABEL = 120
"""A text of more characters in front of a container is no label."""
REMARK = 200
"""A text of more characters before or behind a container is taken sentence by sentence."""

_HINTS = re.compile(r"(?:|code|json\w*|ndjson|geojson|text|txt|plain|plaintext|http|console|output|log|none)$")
_LABEL = Pattern(r"(?![\"'`=<>|\d])[^{}]*[\p{L}\p{N})\]:：]\s*", regex.DOTALL)
_CODE_BEFORE = re.compile(r"(?:[(\[{\\]|(?<!=)=|&&|\|\||(?<!``)`|\"\"\"|'''|\breturn|=>)\s*$")
_CODE_BEHIND = re.compile(r"[ \t]*(?:[=:`\"'?&|]|\.\w)|\s*[,;)\]}]")
NEAR = 100
"""White space and characters looked at on either side of a container to tell a program."""
_GAP_OR_STRING = re.compile(rf"(?P<gap>[ \t\n\r]++)|{json_grammar.STRING}")
_SLASH_OR_ESCAPE = re.compile(r"\\(?:(?P<slash>/)|.)", re.DOTALL)


class Json:
    """Rows that hold complete JSON from their beginning on or behind a label, and rows of half a document."""

    kind = TextKind.JSON

    def __init__(self, *, anywhere: bool = False) -> None:
        """anywhere: whatever stands before and behind it on its rows; for rows that no other editor wants."""
        self._anywhere = anywhere

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Rows of complete JSON, as many as follow each other, else those of half a document."""
        if not _HINTS.match(hint):
            return at
        refused = rows.once("refused", lambda: [0])
        if not self._anywhere and at < refused[0]:
            return at
        end = _whole(rows, at, anywhere=self._anywhere)
        if end == at:
            return at if _goes_on(rows, at) else half(rows, at)
        if not self._anywhere and _in_code(rows.text, rows.spans[at][0], rows.spans[end - 1][1]):
            refused[0] = end  # another editor may know it; nothing in it is looked at twice
            return at
        return end

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """What must stay, and between it what may go; the rows of half a document."""
        rows = Rows(text, block.start, block.end)
        if _whole(rows, 0, anywhere=True) < len(rows):
            return Edited(half_units(rows, asked))
        containers, values = rows.once("json", lambda: _scan(rows))
        starts = [start for start, _ in values]
        literal = _in_code(text, containers[0][0], containers[-1][1])
        if (
            asked.json == "rows"
            and not literal
            and (ranked := line_units(text, _one_a_row(rows, containers), asked))
        ):
            return Edited(ranked, [drop for span in containers for drop in _drops(text, *span)])
        units: list[Unit] = []
        drops: list[Span] = []
        cursor = block.start
        for start, end in containers:
            units += _remark(text, cursor, start)
            cursor = end
            if literal or _in_code(text, start, end):
                units.append(Unit(start, end, must=True))
                continue
            drops += _drops(text, start, end)
            inside = values[bisect_left(starts, start) : bisect_left(starts, end)]
            units += _filled(text, (start, end), _optional(text, (start, end), inside, asked), len(units))
        return Edited([*units, *_remark(text, cursor, block.end)], drops)


def _scan(rows: Rows) -> tuple[list[Span], list[Span]]:
    """Complete containers and long string values of all rows; a text that is one string counts as both."""
    first, last = rows.spans[0][0], rows.spans[-1][1]
    start, end = trimmed(rows.text, first, last)
    if rows.text.startswith('"', start) and json_grammar.WHOLE_STRING.fullmatch(rows.text, start, end):
        return [(start, end)], [(start, end)]
    return json_grammar.scan(rows.text, first, last)


def _whole(rows: Rows, at: int, *, anywhere: bool) -> int:
    """The row behind the complete JSON in row `at` and in those that follow, or `at`."""
    row = end = at
    chars = 0
    while row < len(rows):
        size, behind = _stretch(rows, row, anywhere=anywhere)
        if behind > row:
            end = behind
            chars += size
        elif not rows.blank(row):
            break
        row = max(behind, row + 1)
    return end if chars >= LARGE else at


def _stretch(rows: Rows, row: int, *, anywhere: bool) -> tuple[int, int]:
    """Characters of the containers that begin in a row, and the row behind them; (0, row) for none."""
    text, (start, end) = rows.text, rows.spans[row]
    start, end = trimmed(text, start, end)
    if start == end or (text[start] not in '{["' and text.find("{", start, end) < 0 > text.find("[", start, end)):
        return 0, row
    containers, _ = rows.once("json", lambda: _scan(rows))
    index = bisect_left(containers, (start, 0))
    if index == len(containers) or containers[index][0] >= end or half_starts(text[start : containers[index][0]]):
        return 0, row
    first, largest, total, last, behind = containers[index][0], 0, 0, start, row
    while index < len(containers) and containers[index][0] < end:
        size = containers[index][1] - containers[index][0]
        largest, total, last = max(largest, size), total + size, containers[index][1]
        behind = bisect_right(rows.spans, last, key=lambda span: span[0])
        end = rows.spans[behind - 1][1]
        index += 1
    if largest < LARGE and (first > start or 2 * total < end - start):
        return 0, row
    labelled = first == start or (first - start <= LABEL and _LABEL.fullmatch(text[start:first]))
    if not anywhere and (not labelled or _CODE_BEHIND.match(text, last, min(end, last + NEAR))):
        return 0, row
    return total, behind


def _goes_on(rows: Rows, row: int) -> bool:
    """Whether a complete container holds the end of a row: then it is part of something else, not cut off."""
    containers, _ = rows.once("json", lambda: _scan(rows))
    end = rows.spans[row][1]
    index = bisect_left(containers, (end, 0)) - 1
    return index >= 0 and containers[index][1] > end


def _in_code(text: str, start: int, end: int) -> bool:
    """Whether what stands before or behind JSON shows that it is a literal of a program."""
    before = text[max(start - NEAR, 0) : start].rstrip()[-20:]
    return bool(_CODE_BEFORE.search(before) or _CODE_BEHIND.match(text, end, end + NEAR))


def _remark(text: str, start: int, end: int) -> Iterator[Unit]:
    """What stands between containers, if anything does."""
    start, end = trimmed(text, start, end)
    if end - start > REMARK:
        yield from (Unit(*span, wrap=Wrap.INLINE) for span in sentences(text, start, end))
    elif start < end:
        yield Unit(start, end, must=True)


def _optional(text: str, span: Span, values: Sequence[Span], asked: Asked) -> list[Unit]:
    """What may go of a container, ascending and disjoint; heads are indices in this list."""
    if asked.json == "lossless":
        return []
    records = record_units(text, span, asked) if asked.json == "rows" else []
    starts = [unit.start for unit in records]
    found: list[Unit] = []
    at = 0
    for start, end in values:
        index = bisect_right(starts, start)
        if index and records[index - 1].end > start:
            continue
        found += records[at:index]
        at = index
        found += sentence_units(text, (start + 1, end - 1), asked, len(found))
    return found + records[at:]


def _filled(text: str, span: Span, optional: Sequence[Unit], before: int) -> list[Unit]:
    """What may go, and between it what must stay. before: units that the block has already."""
    units: list[Unit] = []
    places: list[int] = []
    cursor = span[0]
    for unit in optional:
        if text[cursor : unit.start].strip():
            units.append(Unit(cursor, unit.start, must=True))
        places.append(before + len(units))
        units.append(replace(unit, head=places[unit.head]) if unit.head >= 0 else unit)
        cursor = unit.end
    if cursor < span[1]:
        units.append(Unit(cursor, span[1], must=True))
    return units


def _drops(text: str, start: int, end: int) -> Iterator[Span]:
    """White space between tokens, and backslashes in front of slashes."""
    for found in _GAP_OR_STRING.finditer(text, start, end):
        if found["gap"]:
            yield found.span()
        elif text.find("\\/", *found.span()) >= 0:
            for escape in _SLASH_OR_ESCAPE.finditer(text, *found.span()):
                if escape["slash"]:
                    yield escape.start(), escape.start() + 1


def _one_a_row(rows: Rows, containers: Sequence[Span]) -> list[Span]:
    """The containers, if each of them is all that stands on its one row."""
    filled = [trimmed(rows.text, *span) for row, span in enumerate(rows.spans) if not rows.blank(row)]
    return filled if filled == list(containers) else []
