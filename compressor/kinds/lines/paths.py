"""Lists of paths and names: `git ls-files`, `find`, `ls`, `git status --short`, `tree`. Whole lines."""

from __future__ import annotations

import re

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks

AHEAD = 5
"""Rows looked at."""
NAMES = 10
"""Fewer names without a slash or an ending are no list of files."""
LONG = 1000
"""A row of more characters is no path."""

_STATUS = r"(?:[ MADRCUT?!]{2} |[MADRCUT]\d{0,3}\t)?"
_TREE = re.compile(r"[│|\s]*(?:[├└]──|[|`]--)\s\S")
_SEGMENT = r"[^\s/\\:,;\"'<>|(){}=]{1,255}+"
_PATH = re.compile(
    rf"{_STATUS}(?:[A-Za-z]:)?(?:[/\\]?{_SEGMENT}(?:[/\\]{_SEGMENT}){{1,40}}|[/\\]{_SEGMENT}|{_SEGMENT}(?=[/\\]$))[/\\]?$"
)
_FILE = re.compile(rf"{_STATUS}\.?[\w@+-][\w@+.-]{{0,200}}\.[A-Za-z]\w{{0,9}}[*/@]?$")
_NAME = re.compile(rf"{_STATUS}[\w@.+~-]{{1,100}}[*/@=|]?$")
_SPACED = re.compile(rf"{_STATUS}(?:\.{{0,2}}/)?[^\s/:,;\"'<>|()]+/[^/:;\"'<>|]{{1,200}}\.\w{{1,8}}$")


class Paths:
    """A path or a name in every row."""

    kind = TextKind.PATHS

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Several paths in a row, or many names."""
        if not ranks.plain(hint) or not _entry(rows.line(at)):
            return at
        ahead = [rows.line(row) for row in range(at, min(len(rows), at + AHEAD))]
        clear = sum(_path(line) for line in ahead)
        end = at
        while end < len(rows) and _entry(rows.line(end)):
            end += 1
        if end - at >= NAMES or (end - at >= 4 and clear >= min(3, len(ahead))):
            return end
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """A row is a unit; the first of each directory stays longer than the others."""
        rows = Rows(text, block.start, block.end)
        spans = [span for row, span in enumerate(rows.spans) if not rows.blank(row)]
        pieces = [text[start:end] for start, end in spans]
        seen: set[str] = set()
        firsts = set()
        for index, piece in enumerate(pieces):
            folder = piece[: max(piece.rfind("/", 0, LONG), piece.rfind("\\", 0, LONG)) + 1]
            if folder and folder not in seen:
                seen.add(folder)
                firsts.add(index)
        worth = ranks.worth(pieces, asked, firsts=firsts)
        return Edited([Unit(*span, rank=rank, noun=Noun.LINES) for span, rank in zip(spans, worth, strict=True)])


def _path(line: str) -> bool:
    if _TREE.match(line):
        return True
    has = "/" in line or "\\" in line
    return len(line) <= LONG and bool((has and (_PATH.match(line) or _SPACED.match(line))) or _FILE.match(line))


def _entry(line: str) -> bool:
    return len(line) <= LONG and (_path(line) or bool(_NAME.match(line)))
