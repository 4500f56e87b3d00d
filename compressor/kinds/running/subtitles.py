"""Subtitles (SubRip, WebVTT): a sentence runs over several cues, and stays or goes with all of them."""

from __future__ import annotations

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Block, Rows, Unit
from moosproxy.compressor.text.patterns import Pattern

LONGEST = 500
"""Characters of cues taken together where no sentence ends."""

_TIMES = Pattern(r"\s{0,3}(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d{1,3}\s{1,3}-->\s{1,3}(?:\d{1,3}:)?\d{1,2}:\d{2}[.,]\d")
_NUMBER = Pattern(r"\ufeff?\d{1,6}\s*$")
_ENDED = Pattern(r"[.!?…。！？♪\])][\"'”’»)\]」』]{0,3}(?:</?\w{1,6}>)?\s*$")


def claim(rows: Rows, at: int) -> int:
    """The row behind the cues that begin at a row, or `at` for fewer than two."""
    end = row = at
    cues = 0
    while row < len(rows):
        if rows.blank(row):
            row += 1
            continue
        behind = _cue(rows, row)
        if behind == row:
            break
        cues += 1
        end = row = behind
    return end if cues > 1 else at


def _cue(rows: Rows, row: int) -> int:
    """The row behind the cue that begins at a row, or the row itself."""
    times = row + 1 if _NUMBER.match(rows.line(row)[:12]) else row
    if times >= len(rows) or not _TIMES.match(rows.line(times)[:60]):
        return row
    end = times + 1
    while end < len(rows) and not rows.blank(end) and not _TIMES.match(rows.line(end)[:60]):
        end += 1
    if end < len(rows) and not rows.blank(end) and end - 1 > times and _NUMBER.match(rows.line(end - 1)[:12]):
        end -= 1  # the next cue's number: no blank row lies between the two
    return end


def units(text: str, block: Block) -> list[Unit]:
    """Cues, those of one sentence together."""
    rows = Rows(text, block.start, block.end)
    found: list[Unit] = []
    row = 0
    while row < len(rows):
        if rows.blank(row):
            row += 1
            continue
        first, count = row, 0
        while row < len(rows):
            row = max(_cue(rows, row), row + 1)
            count += 1
            start, end = rows.spans[first][0], rows.spans[row - 1][1]
            if _ENDED.search(text, max(start, end - 30), end) or end - start > LONGEST:
                break
            while row < len(rows) and rows.blank(row):
                row += 1
        found.append(Unit(start, start + len(text[start:end].rstrip()), noun=Noun.LINES, count=count))
    return found
