"""A text as blocks, each of one kind that its content tells. Deterministic and linear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.kinds.base import Block, Editor, Rows, TextKind
from moosproxy.compressor.kinds.dialogue import Dialogue
from moosproxy.compressor.kinds.json_text import Json
from moosproxy.compressor.kinds.prose import Prose
from moosproxy.compressor.kinds.rows import Fence, Lines

# In the order in which they are asked: what is told surest comes first.
_CLAIMING: tuple[Editor, ...] = (Json(), Dialogue(), Json(anywhere=True), Lines())

EDITORS: dict[TextKind, Editor] = {editor.kind: editor for editor in (*_CLAIMING, Prose(), Fence())}
"""Who edits a block of which kind."""

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
        blocks += _rest(rows, unclaimed, at, TextKind.PROSE)
        blocks += [block for _, block in found]
        at = unclaimed = found[-1][0]
    return blocks + list(_rest(rows, unclaimed, len(rows), TextKind.PROSE))


def _claimed(rows: Rows, at: int, hint: str) -> Iterator[tuple[int, Block]]:
    """The block that begins at a row, with the row behind it; nothing if no editor claims the row."""
    if rows.blank(at):
        return
    for editor in _CLAIMING:
        end = editor.claim(rows, at, hint)
        if end > at:
            yield end, Block(rows.spans[at][0], rows.spans[end - 1][1], editor.kind, hint)
            return


def _fenced(rows: Rows, at: int) -> Iterator[tuple[int, Block]]:
    """A fence: its first row, the blocks inside, its last row."""
    opened = _FENCE.match(rows.line(at)[:200])
    if opened is None:
        return
    sign, hint = opened["sign"], opened["language"].lower() or _ANY_CODE
    end = at + 1
    while end < len(rows) and not _closes(rows.line(end), sign):
        end += 1
    if end >= len(rows) and hint == _ANY_CODE:
        return
    yield at + 1, Block(*rows.spans[at], TextKind.FENCE)
    inner = unclaimed = at + 1
    while inner < end:
        found = [(behind, block) for behind, block in _claimed(rows, inner, hint) if behind <= end]
        if found:
            yield from ((unclaimed, block) for block in _rest(rows, unclaimed, inner, TextKind.LINES, hint))
            yield from found
            inner = unclaimed = found[-1][0]
        else:
            inner += 1
    yield from ((end, block) for block in _rest(rows, unclaimed, end, TextKind.LINES, hint))
    if end < len(rows):
        yield end + 1, Block(*rows.spans[end], TextKind.FENCE)


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
