"""A text as blocks, each of one kind that its content tells. Deterministic and linear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.kinds.base import Block, Editor, Rows, TextKind
from moosproxy.compressor.kinds.code import Code
from moosproxy.compressor.kinds.config.editor import Config
from moosproxy.compressor.kinds.diff import Diff
from moosproxy.compressor.kinds.json.editor import Json
from moosproxy.compressor.kinds.lines.csv_text import Csv
from moosproxy.compressor.kinds.lines.listing import Listing
from moosproxy.compressor.kinds.lines.log import Log
from moosproxy.compressor.kinds.lines.paths import Paths
from moosproxy.compressor.kinds.lines.rows import AHEAD, Fence, Lines, bare
from moosproxy.compressor.kinds.lines.search import Search
from moosproxy.compressor.kinds.lines.table import Table
from moosproxy.compressor.kinds.lines.trace import Trace
from moosproxy.compressor.kinds.markup.editor import Markup
from moosproxy.compressor.kinds.running.dialogue import Dialogue
from moosproxy.compressor.kinds.running.prose import Prose
from moosproxy.compressor.kinds.sql import Sql

# In the order in which they are asked: what is told surest comes first.
_CLAIMING: tuple[Editor, ...] = (
    Diff(),
    Json(),
    Markup(),
    Sql(),
    Table(),
    Csv(),
    Log(),  # before configuration: entries of the form key=value are no settings
    Config(),
    Listing(),
    Search(),
    Trace(),
    Paths(),
    Dialogue(),
    Json(anywhere=True),
    Code(),
)
EDITORS: dict[TextKind, Editor] = {editor.kind: editor for editor in (*_CLAIMING, Lines(), Prose(), Fence())}
"""Who edits a block of which kind."""

SAME_ROWS = 6
REFUSALS = 8
"""Short rows that no editor claims so often, with the same rows behind, are not asked about again: a megabyte of
brackets on lines of their own would take a minute."""

_FENCE = re.compile(r"\s{0,3}(?P<sign>`{3,}|~{3,})\s*(?P<language>[\w.+#-]*)[^`]*$")
_ANY_CODE = "code"


def split(text: str) -> list[Block]:
    """Blocks in order; together they hold every row that is not blank."""
    rows = Rows(text)
    blocks: list[Block] = []
    at = unclaimed = 0
    while at < len(rows):
        found = list(_fenced(rows, at)) or list(_claimed(rows, at, ""))
        if not found:
            at += 1
            continue
        blocks += _unclaimed(rows, unclaimed, at)
        blocks += [block for _, block in found]
        at = unclaimed = found[-1][0]
    return blocks + list(_unclaimed(rows, unclaimed, len(rows)))


def _unclaimed(rows: Rows, start: int, end: int) -> Iterator[Block]:
    """Rows that no kind claims: running text, and lines that do not read as such."""
    at = start
    while at < end:
        behind = at
        while behind < end and bare(rows, behind):
            behind += 1
        if behind - at >= AHEAD:
            yield from _rest(rows, start, at, TextKind.PROSE)
            yield Block(rows.spans[at][0], rows.spans[behind - 1][1], TextKind.LINES)
            start = behind
        at = behind + 1
    yield from _rest(rows, start, end, TextKind.PROSE)


def _claimed(rows: Rows, at: int, hint: str) -> Iterator[tuple[int, Block]]:
    """The block that begins at a row, with the row behind it; nothing if no editor claims the row."""
    if rows.blank(at):
        return
    ahead = rows.short(at, SAME_ROWS)
    if ahead and rows.refused[ahead] >= REFUSALS:
        return
    for editor in _CLAIMING:
        end = editor.claim(rows, at, hint)
        if end > at:
            yield end, Block(rows.spans[at][0], rows.spans[end - 1][1], editor.kind, hint)
            return
    if ahead:
        rows.refused[ahead] += 1


def _fenced(rows: Rows, at: int) -> Iterator[tuple[int, Block]]:
    """A fence: its first row, the blocks inside, its last row."""
    opened = _FENCE.match(rows.line(at)[:200])
    if opened is None:
        return
    sign, hint = opened["sign"], opened["language"].lower() or _ANY_CODE
    end = _closed(rows, at, sign)
    if end >= len(rows) and hint == _ANY_CODE:
        return
    yield at + 1, Block(*rows.spans[at], TextKind.FENCE)
    if at + 1 < end:
        inside = Rows(rows.text, rows.spans[at + 1][0], rows.spans[end - 1][1])
        yield from ((at + 1 + behind, block) for behind, block in _inside(inside, hint))
    if end < len(rows):
        yield end + 1, Block(*rows.spans[end], TextKind.FENCE)


def _inside(rows: Rows, hint: str) -> Iterator[tuple[int, Block]]:
    """Blocks between the signs of a fence, each with the row behind it; an editor sees no row behind the fence."""
    at = unclaimed = 0
    while at < len(rows):
        found = list(_claimed(rows, at, hint))
        if found:
            yield from ((at, block) for block in _rest(rows, unclaimed, at, TextKind.LINES, hint))
            yield from found
            at = unclaimed = found[-1][0]
        else:
            at += 1
    yield from ((at, block) for block in _rest(rows, unclaimed, at, TextKind.LINES, hint))


def _closed(rows: Rows, at: int, sign: str) -> int:
    """The row that closes a fence, the number of rows if none does. What was sought in vain is remembered."""
    missing: dict[str, int] = rows.once("fences", dict)
    if len(sign) >= missing.get(sign[0], len(sign) + 1):
        return len(rows)
    end = at + 1
    while end < len(rows) and not _closes(rows.line(end), sign):
        end += 1
    if end == len(rows):
        missing[sign[0]] = len(sign)
    return end


def _closes(line: str, sign: str) -> bool:
    line = line.strip()
    return len(line) >= len(sign) and not line.strip(sign[0])


def _rest(rows: Rows, start: int, end: int, kind: TextKind, hint: str = "") -> Iterator[Block]:
    """Rows that nobody claimed, without blank ones at either end."""
    while start < end and rows.blank(start):
        start += 1
    while end > start and rows.blank(end - 1):
        end -= 1
    if start < end:
        yield Block(rows.spans[start][0], rows.spans[end - 1][1], kind, hint)
