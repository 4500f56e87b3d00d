"""Kept units to slices of the text, with a mark where others were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kept import KeptSpans, Mark, Noun, Span, Wrap
from moosproxy.compressor.kinds.base import Unit
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.plan import CALLER_KINDS, Plan

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

Gone = tuple[Span, bool]
"""A span that is left out, and whether nothing at all takes its place."""
COUNTED = 60
"""In running text a gap of fewer tokens has a mark without a number, which is one token."""
MARK_TOKENS = {True: 6, False: 2}
"""Tokens of a mark with a number and of one without; what is not longer than its mark is not left out."""


@dataclass(frozen=True)
class Joined:
    """tokens: of the joined text. words: whether each word is in it, shape (words,)."""

    kept: KeptSpans
    text: str
    tokens: int
    words: BoolArray


class _Slices:
    """Slices as they come, with the marks in front of them. inside: what gone() finds."""

    def __init__(self, inside: Sequence[Gone]) -> None:
        self.spans: list[Span] = []
        self.marks: list[Mark] = []
        self._gone, self._next = inside, 0

    def add(self, start: int, end: int, mark: Mark | None) -> None:
        """text[start:end] without what is gone in it; mark: what stands in front of it."""
        while self._next < len(self._gone) and self._gone[self._next][0][0] < end:
            (first, last), tight = self._gone[self._next]
            self._next += 1
            if last <= start:
                continue
            if first > start:
                self._slice(start, first, mark)
                mark = None
            start = last
            if mark is None and tight:
                mark = Mark(0, Noun.NOTHING)
        self._slice(start, end, mark)

    def _slice(self, start: int, end: int, mark: Mark | None) -> None:
        if start >= end:
            return
        if mark is not None:
            self.marks.append(Mark(len(self.spans), mark.noun, mark.wrap, mark.count))
        self.spans.append((start, end))


def join(plan: Plan, units: Sequence[Unit], chosen: BoolArray, cost: IntArray, inside: Sequence[Gone]) -> Joined:
    """The text that the chosen units make. chosen, cost: shape (units,). inside: gone(plan)."""
    kept = _with_small_gaps(units, chosen, cost)
    out = _Slices(inside)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False])).astype(np.int8))).tolist()
    behind = 0
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        out.add(units[first].start, units[stop - 1].end, _mark(plan, units, range(behind, first), cost))
        behind = stop
    if (last := _mark(plan, units, range(behind, len(units)), cost)) is not None:
        out.marks.append(replace(last, index=len(out.spans)))
    spans = KeptSpans(tuple(out.spans), tuple(out.marks))
    text = spans.apply(plan.text)
    words = structure.covered(list(spans.spans), plan.encoding.word_starts, plan.encoding.word_ends)
    if plan.counter is None:
        marked = sum(MARK_TOKENS[mark.count > 0] for mark in out.marks if mark.noun is not Noun.NOTHING)
        return Joined(spans, text, int(plan.costs[words].sum()) + marked, words)
    return Joined(spans, text, plan.counter.count(text), words)


def trims(plan: Plan) -> bool:
    """Whether words that carry nothing go from units that stay: only where no question tells what matters."""
    return plan.settings.unit == "auto" and not plan.question_text


def gone(plan: Plan) -> list[Gone]:
    """What lies inside of units and is left out whatever is chosen, ascending."""
    found = [(span, True) for span in _droppable(plan)]
    return sorted(found + [(span, False) for span in cuts(plan)])


def cuts(plan: Plan) -> list[Span]:
    """What goes from units that stay: nothing that is protected."""
    if not trims(plan):
        return []
    found = [span for piece in plan.pieces for span in piece.cuts]
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    held = np.concatenate(([0], np.cumsum(plan.forced)))
    first = np.searchsorted(ends, [start for start, _ in found], side="right")
    last = np.searchsorted(starts, [end for _, end in found], side="left")
    return [span for span, free in zip(found, (held[last] <= held[first]).tolist(), strict=True) if free]


def _droppable(plan: Plan) -> list[Span]:
    """What goes always, but where the caller wants every character."""
    drops = [span for piece in plan.pieces for span in piece.drops]
    wanted = [(span.start, span.end) for span in plan.found if span.kind in CALLER_KINDS]
    if not drops or not wanted:
        return drops
    bounds = np.array(drops, np.int32)
    touched = structure.covered(wanted, bounds[:, 0], bounds[:, 1])
    return [span for span, keep in zip(drops, touched.tolist(), strict=True) if not keep]


def _with_small_gaps(units: Sequence[Unit], chosen: BoolArray, cost: IntArray) -> BoolArray:
    """Chosen units, and those whose leaving out would save less than saying so; shape (units,)."""
    kept = chosen.copy()
    edges = np.flatnonzero(np.diff(np.concatenate(([False], ~kept, [False])).astype(np.int8))).tolist()
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        tokens = int(cost[first:stop].sum())
        if tokens <= MARK_TOKENS[_counted(units[first], tokens)]:
            kept[first:stop] = True
    return kept


def _counted(unit: Unit, tokens: int) -> bool:
    return unit.wrap is not Wrap.INLINE or tokens >= COUNTED


def _mark(plan: Plan, units: Sequence[Unit], gap: range, cost: IntArray) -> Mark | None:
    """What is said about units left out side by side."""
    if not gap or not plan.settings.marks:
        return None
    told = [units[index] for index in gap if not units[index].heads] or [units[gap[0]]]
    noun, wrap = told[0].noun, told[0].wrap
    counted = _counted(told[0], int(cost[gap.start : gap.stop].sum()))
    return Mark(0, noun, wrap, sum(unit.count for unit in told if unit.noun is noun) if counted else 0)
