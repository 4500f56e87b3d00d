"""Running text: sentences, items of lists, headings that go with what they head."""

from __future__ import annotations

import regex

from moosproxy.compressor.kept import Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.protect.asked.phrasing import PASSAGE_HEADER
from moosproxy.compressor.text.sentences import sentences

TITLE = 80
"""A line of more characters is no heading."""
ITEM = 600
"""An item of a list with more characters is taken sentence by sentence."""

_ITEM = regex.compile(r"\s{0,12}(?:[-*+•‣◦–]|\(?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})[.)])\s+\S")
_HEADING = regex.compile(
    r"\s{0,3}(?:\#{1,6}\s|(?:Chapter|Section|Article|Kapitel|Abschnitt|§)\s?\d|\d{1,2}(?:\.\d{1,2}){1,3}\.?\s\p{Lu})"
)
_ENDED = regex.compile(r".*[.!?…:;,。！？：；，、][\"'”’»)\]*_」』）]*\s*$", regex.DOTALL)


class Prose:
    """Claims nothing: running text is what no other kind claims."""

    kind = TextKind.PROSE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """`at`: see above."""
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """One unit for each sentence, item or heading."""
        units: list[Unit] = []
        head = -1
        for start, end, is_heading, is_item in _pieces(text, block):
            if is_heading:
                head = len(units)
                units.append(Unit(start, end, heads=True, noun=Noun.SENTENCES, wrap=Wrap.INLINE))
            elif is_item and end - start <= ITEM:
                units.append(Unit(start, end, head=head, noun=Noun.ITEMS, wrap=Wrap.INLINE))
            else:
                units += [
                    Unit(*span, head=head, noun=Noun.SENTENCES, wrap=Wrap.INLINE)
                    for span in sentences(text, start, end)
                ]
        return Edited(units)


def _pieces(text: str, block: Block) -> list[tuple[int, int, bool, bool]]:
    """(start, end, is heading, is item) of the paragraphs: of a paragraph wrapped by hand as one piece, of others
    line by line."""
    rows = Rows(text, block.start, block.end)
    found: list[tuple[int, int, bool, bool]] = []
    at = 0
    while at < len(rows):
        if rows.blank(at):
            at += 1
            continue
        end = at
        while end < len(rows) and not rows.blank(end):
            end += 1
        found += _paragraph(rows, at, end)
        at = end
    return found


def _paragraph(rows: Rows, at: int, end: int) -> list[tuple[int, int, bool, bool]]:
    found: list[tuple[int, int, bool, bool]] = []
    start = at
    while start < end:
        line = rows.line(start)
        if heading(rows, start, end):
            found.append((*_trim(rows, start, start), True, False))
            start += 1
            continue
        item = bool(_ITEM.match(line))
        stop = start + 1
        while stop < end and _goes_on(rows, stop, item):
            stop += 1
        found.append((*_trim(rows, start, stop - 1), False, item))
        start = stop
    return found


def heading(rows: Rows, row: int, end: int) -> bool:
    """Whether a row heads what follows. end: row behind its paragraph."""
    line = rows.line(row)
    if len(line) > TITLE:
        return len(line) < 2 * TITLE and bool(PASSAGE_HEADER.match(line)) and row + 1 < len(rows)
    if _HEADING.match(line) or PASSAGE_HEADER.match(line):
        return True
    if _ITEM.match(line) or _ENDED.match(line):
        return False
    behind = row + 1
    while behind < len(rows) and behind < row + 3 and rows.blank(behind):
        behind += 1
    alone = row + 1 == end or len(line) < TITLE // 2
    return (
        alone
        and behind < len(rows)
        and len(rows.line(behind)) > max(TITLE, 2 * len(line))
        and len(line.split()) < 12
    )


def _goes_on(rows: Rows, row: int, item: bool) -> bool:
    """Whether a row continues the sentence of the row before it: wrapped by hand, or an item's indented line."""
    line, before = rows.line(row), rows.line(row - 1)
    if _ITEM.match(line) or heading(rows, row, row + 1):
        return False
    if item:
        return line.startswith((" ", "\t")) or not _ENDED.match(before)
    if len(before) >= 50 and len(before) < 200:  # lines of a wrapped paragraph are about equally long
        return True
    return not _ENDED.match(before) and line[:1].islower()


def _trim(rows: Rows, first: int, last: int) -> Span:
    start, end = rows.spans[first][0], rows.spans[last][1]
    piece = rows.text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
