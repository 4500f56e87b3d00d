"""All units of a text before anything is chosen: what each costs, what stays whatever the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kinds.base import TextKind, Unit
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.pieces import Piece
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.selection.units.held import held
from moosproxy.compressor.selection.units.joining import cuts

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.intp]

READ = frozenset({TextKind.PROSE, TextKind.DIALOGUE})
"""Kinds whose units share one budget and are ranked by the model's scores."""


@dataclass(frozen=True)
class Units:
    """All units of a text; arrays of shape (units,).

    group: units with the same number share one budget. whole: tokens of each unit. cost: what is left of them
    where the unit stays. held: stays whatever the budget. head: index of the unit's head, -1 for none.
    first, last: its words, as a range.
    """

    units: Sequence[Unit]
    kinds: Sequence[TextKind]
    group: IntArray
    whole: IntArray
    cost: IntArray
    held: BoolArray
    head: Sequence[int]
    first: WordArray
    last: WordArray

    def heads(self, index: int, kept: BoolArray) -> list[int]:
        """The heads of a unit that are not kept yet: its own, that one's own, and so on."""
        found: list[int] = []
        while (index := self.head[index]) >= 0 and not kept[index]:
            found.append(index)
        return found

    def fixed(self) -> BoolArray:
        """What stays whatever the scores say, heads included, shape (units,)."""
        kept = np.asarray(self.held | (self.group < 0), np.bool_)
        for index in np.flatnonzero(kept).tolist():
            kept[self.heads(index, kept)] = True
        return kept


def collect(plan: Plan) -> Units:
    """The units of every piece, in the order of the text."""
    units: list[Unit] = []
    kinds: list[TextKind] = []
    groups: list[int] = []
    heads: list[int] = []
    for number, piece in enumerate(plan.pieces, 1):
        first = len(units)
        units += piece.units
        kinds += [piece.kind] * len(piece.units)
        groups += _groups(piece, number)
        heads += [first + unit.head if unit.head >= 0 else -1 for unit in piece.units]
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    first_word = np.searchsorted(ends, [unit.start for unit in units], side="right")
    last_word = np.maximum(np.searchsorted(starts, [unit.end for unit in units], side="left"), first_word)
    dropped = structure.covered([span for piece in plan.pieces for span in piece.drops], starts, ends)
    cut = dropped | structure.covered(cuts(plan), starts, ends)
    whole = _sums(plan.costs * ~dropped, first_word, last_word)
    return Units(
        units=units,
        kinds=kinds,
        group=np.array(groups, np.int64),
        whole=whole,
        cost=_sums(plan.costs * ~cut, first_word, last_word),
        held=held(plan, units, kinds, whole),
        head=heads,
        first=first_word,
        last=last_word,
    )


def bare_tokens(plan: Plan) -> int | None:
    """Tokens of the text without what always goes; None where nothing does, or nobody counts."""
    drops = sorted(span for piece in plan.pieces for span in piece.drops)
    if not drops or plan.counter is None:
        return None
    edges = [0, *(edge for span in drops for edge in span), len(plan.text)]
    return plan.counter.count("".join(plan.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)))


def _groups(piece: Piece, number: int) -> list[int]:
    """0 for what the model ranks, the block's number for what its own editor ranks, -1 for what cannot go."""
    if piece.kind in READ:
        return [0] * len(piece.units)
    ranked = any(unit.rank is not None and not unit.must for unit in piece.units)
    fixed = number if ranked else -1
    return [fixed if unit.must else 0 if unit.rank is None else number for unit in piece.units]


def _sums(values: npt.NDArray[np.int32], first: WordArray, last: WordArray) -> IntArray:
    total = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return np.asarray(total[last] - total[first], np.int64)
