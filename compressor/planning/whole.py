"""Whether a text has to stay whole because of what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from moosproxy.compressor.kinds.base import TextKind
from moosproxy.compressor.planning import question
from moosproxy.compressor.planning.pieces import Piece
from moosproxy.compressor.protect.asked import requests
from moosproxy.compressor.protect.asked.every_word import needs_every_row, needs_every_word

# Kinds of which rows go: JSON loses none unless it is asked to.
_ROWS = frozenset({TextKind.LOG, TextKind.CSV, TextKind.TABLE})

# So many instructions of a text are read at most.
_FEW_ORDERS = 8
# A longer order is read at its two ends: a tag may call a whole book an instruction.
_END_CHARS = 750


def stays_whole(text: str, asked: str | None, *, material: bool = False) -> bool:
    """asked: what was asked before the text came. material: a tool's result, in which nobody asks."""
    span = None if material else question.find(text)
    own = text[span[0] : span[1]] if span else None
    return orders_need_it(text, own, asked, material=material)


def orders_need_it(text: str, own: str | None, asked: str | None, *, material: bool) -> bool:
    """The same, where the question in the text, or else the one it is scored against, is known: own."""
    orders = [own, asked]
    if own is None and not material:
        orders += [text[start:end] for start, end in islice(requests.instruction(text), _FEW_ORDERS)]
    return any(needs_every_word(_short(order), material=material) for order in orders if order)


def rows_need_it(text: str, pieces: Sequence[Piece], asked: str | None) -> bool:
    """Whether a figure over all rows is asked for (how many, the slowest), and half of the text is rows."""
    if asked is None or not needs_every_row(_short(asked)):
        return False
    rows = sum(unit.end - unit.start for piece in pieces if piece.kind in _ROWS for unit in piece.units)
    return 2 * rows >= len(text)


def _short(order: str) -> str:
    return order if len(order) <= 2 * _END_CHARS else f"{order[:_END_CHARS]}\n{order[-_END_CHARS:]}"
