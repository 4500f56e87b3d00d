"""Rows that are no running text and no kind that is known: cut by whole lines, never inside one."""

from __future__ import annotations

from moosproxy.compressor.kinds.base import Asked, Block, Edited, Rows, TextKind, Unit, row_units

AHEAD = 6
SHORT = 60


class Lines:
    """Several short rows in a row that do not read as sentences."""

    kind = TextKind.LINES

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """`at`: told last, among rows that nobody claims; rows of another kind may begin among them."""
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """Rows that the question names stay longest; then those at the beginning and the end."""
        units = row_units(text, block)
        size = max(len(units) - 1, 1)
        ranked = []
        for number, unit in enumerate(units):
            edge = abs(2 * number / size - 1)
            rank = asked.named(text[unit.start : unit.end]) + 0.5 * edge
            ranked.append(Unit(unit.start, unit.end, rank=rank))
        return Edited(ranked)


def bare(rows: Rows, row: int) -> bool:
    """Whether a row is short and ends like no sentence; AHEAD of them side by side are lines."""
    line = rows.line(row).strip()
    return 0 < len(line) <= SHORT and len(line.split()) <= 8 and line[-1] not in ".!?。！？…,;"


class Fence:
    """The rows that open and close a fence."""

    kind = TextKind.FENCE

    def claim(self, rows: Rows, at: int, hint: str) -> int:
        """`at`: fences are told where blocks are split."""
        return at

    def edit(self, text: str, block: Block, asked: Asked) -> Edited:
        """They stay."""
        return Edited([Unit(unit.start, unit.end, must=True) for unit in row_units(text, block)])
