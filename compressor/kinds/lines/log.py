"""Logs: whole entries. Rare events, faults and what the question names stay longest, repeated events go first.

drain3 was weighed: it clusters incrementally, so that a line's template depends on the order of those before it,
brings jsonpickle and cachetools, and would have to be trained anew on every text. Masks of what varies, with two
readings of what is left, keep no state and count exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from moosproxy.compressor.kept import Noun
from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit
from moosproxy.compressor.kinds.lines import ranks, trace
from moosproxy.compressor.kinds.lines.trace_rows import FRAME, names_fault
from moosproxy.compressor.text import templates

AHEAD = 24
"""Rows looked at to tell a log."""
LEAST = 3
"""Fewer entries are no log."""
STRAY = 4
"""So many rows in a row may belong to an entry though they are not indented."""
TALL = 400
"""Rows of one entry at most."""
SPLIT = 4
"""An entry of more rows is taken apart: its first row, then messages and frames."""

FIRST, FAULT, EDGE, SHORT = 0.6, 0.09, 0.2, 0.05
"""What it is worth, beside 0.9 for an event that occurs once, to be the first of its kind, to tell of a fault, to
begin or end the log, and to be half as long as the others: more events fit into the budget then."""


class Log:
    """Entries that begin with a time or a level."""

    kind = TextKind.LOG

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """Entries up to the last one, with the rows that continue it."""
        if not ranks.plain(hint) or not _begins(rows, at):
            return at
        heads = others = 0
        for row in range(at, min(len(rows), at + AHEAD)):
            if _begins(rows, row):
                heads += 1
            elif not rows.blank(row) and not _continues(rows, row):
                others += 1
        return _end(rows, at) if heads >= LEAST and heads >= templates.SHARE * (heads + others) else at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """An entry is a unit; a tall one is its first row and what that row heads."""
        rows = Rows(text, block.start, block.end)
        entries = _entries(rows)
        pieces = [text[rows.spans[first][0] : rows.spans[behind - 1][1]] for first, behind in entries]
        worth = ranks.worth(pieces, asked, _standing_out(rows, [first for first, _ in entries]))
        units: list[Unit] = []
        for (first, behind), rank in zip(entries, worth, strict=True):
            start, end = rows.spans[first][0], rows.spans[behind - 1][1]
            if behind - first <= SPLIT:
                edge = first == entries[0][0] or behind == entries[-1][1]
                units.append(Unit(start, end, rank=rank, noun=Noun.LINES, count=behind - first, fact=edge))
            else:
                units += _apart(rows, first, behind, rank, len(units))
        return Edited(units)


def _begins(rows: Rows, row: int) -> bool:
    return bool(templates.HEAD.match(rows.text, *rows.spans[row]))


def _continues(rows: Rows, row: int) -> bool:
    """Whether a row looks like part of the entry above it: indented, or of a stack trace."""
    if templates.CONTINUED.match(rows.text, *rows.spans[row]):
        return True
    line = rows.line(row)
    return names_fault(line) or bool(FRAME.match(line[: ranks.LONGEST_ROW]))


def _end(rows: Rows, at: int) -> int:
    """The row behind the last entry."""
    end, row, stray, began = at + 1, at + 1, 0, at
    while row < len(rows) and stray <= STRAY:
        if _begins(rows, row):
            end, stray, began = row + 1, 0, row
        elif rows.blank(row) or not _continues(rows, row):
            stray += 1
        elif not stray and row - began < TALL:
            end = row + 1
        else:
            stray += 1
        row += 1
    return end


def _entries(rows: Rows) -> list[tuple[int, int]]:
    """(first row, row behind) of every entry, blank rows at its end left out."""
    found: list[tuple[int, int]] = []
    for row in range(len(rows)):
        if rows.blank(row):
            continue
        if _begins(rows, row) or not found:
            found.append((row, row + 1))
        else:
            found[-1] = (found[-1][0], row + 1)
    return found


def _standing_out(rows: Rows, firsts: Sequence[int]) -> list[float]:
    """How much each entry stands out, in (0, 2): its event is rare or told for the first time, it tells of a fault
    while most others do not, it is short, it begins or ends the log."""
    lines = [rows.line(row) for row in firsts]
    strict, loose = templates.readings(lines)
    rarity = templates.rarity_of(strict, loose).tolist()
    severe = ranks.faults(rows.text, [rows.spans[row] for row in firsts])
    usual = sum(severe) / max(len(severe), 1)
    mean = sum(map(len, lines)) / max(len(lines), 1)
    seen: set[templates.Template] = set()
    found = []
    for index, event in enumerate(loose):
        value = 0.9 * rarity[index] + FAULT * (1 - usual) * severe[index]
        value = value if event in seen else max(value, FIRST)
        seen.add(event)
        value += EDGE * (index in (0, len(lines) - 1)) - SHORT * math.log2(max(len(lines[index]), 1) / mean)
        found.append(min(max(value, 0.001), 1.999))
    return found


def _apart(rows: Rows, first: int, behind: int, rank: float, head: int) -> list[Unit]:
    """A tall entry: its first row, and what follows below it, a little less worth each."""
    start, end = rows.spans[first]
    units = [Unit(start, end, rank=rank, noun=Noun.LINES, fact=True)]
    inner = trace.units(Rows(rows.text, rows.spans[first + 1][0], rows.spans[behind - 1][1]), Asked())
    return units + [replace(unit, rank=_below(rank, unit.rank), must=False, head=head) for unit in inner]


def _below(rank: float, inner: float | None) -> float:
    """The rank of a part of an entry of this rank: messages near it, own frames less, others behind it all."""
    if inner is None:
        return rank - 0.001
    return rank - 0.3 if inner >= trace.OWN else inner / 16
