"""What stays whatever the budget.

Inviolable is what the user asks, what the caller marks, and what is filled in later. All other protected kinds
leave with their unit, but in a short text that nobody asks about: little is saved there, every fact may matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kept import Span
from moosproxy.compressor.kinds.base import TextKind, Unit
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.plan import CALLER_KINDS, Plan
from moosproxy.compressor.settings import Kind
from moosproxy.compressor.text.layout import paragraphs, trimmed

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

SPOKEN = frozenset({TextKind.PROSE, TextKind.DIALOGUE, TextKind.MARKUP, TextKind.LINES, TextKind.TEMPLATE})
"""Kinds that speak to somebody. In code, logs and rows `use std::fs;` asks for nothing and ${x} is a variable."""
ASKED = frozenset({Kind.QUESTION, Kind.INSTRUCTION})
FACTS = frozenset(Kind) - ASKED - {Kind.PLACEHOLDER, Kind.HEADING, Kind.INLINE_CODE, Kind.JSON}
SHORT_TOKENS = 1000
"""A text of fewer tokens is short."""
BETWEEN_SHARE = 0.25
"""Requests between the first and the last block, and placeholders in what is asked about, hold at most this
share of a text: above it they are material."""


def held(plan: Plan, units: Sequence[Unit], kinds: Sequence[TextKind], cost: IntArray) -> BoolArray:
    """Whether each unit stays, shape (units,). kinds, cost: of each unit."""
    starts = np.array([unit.start for unit in units], np.int32)
    ends = np.array([unit.end for unit in units], np.int32)
    spoken = np.array([kind in SPOKEN for kind in kinds], bool)
    short = int(plan.costs.sum()) < SHORT_TOKENS and not plan.question_text
    own = np.array([unit.must or (short and unit.fact) for unit in units], bool)
    stays = own | structure.covered(_spans(plan, CALLER_KINDS), starts, ends)
    filled = structure.covered(_spans(plan, {Kind.PLACEHOLDER}), starts, ends) & spoken
    if not (plan.settings.material or plan.question_text) or cost[filled].sum() <= BETWEEN_SHARE * cost.sum():
        stays |= filled  # above it, what somebody asks about is no template
    if short:
        stays |= structure.covered(_spans(plan, FACTS & plan.settings.protect), starts, ends) & spoken
    return np.asarray(stays | (_asked(plan, starts, ends, spoken, cost) & spoken), np.bool_)


def _asked(
    plan: Plan, starts: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], spoken: BoolArray, cost: IntArray
) -> BoolArray:
    """Units in which the user asks; a text that is material has none."""
    if plan.settings.material:
        return np.zeros(len(starts), bool)
    spans = _spans(plan, ASKED & plan.settings.protect)
    if not spans and plan.question is None:
        return np.zeros(len(starts), bool)
    edge = _edge(plan.text)
    between = [span for span in spans if span[0] >= edge[0] and span[1] <= edge[1]]
    inner = structure.covered(between, starts, ends) & spoken
    if cost[inner].sum() > BETWEEN_SHARE * cost.sum():
        spans = [span for span in spans if span[0] < edge[0] or span[1] > edge[1]]
    if plan.question is not None:
        spans.append(plan.question)
    return structure.covered(spans, starts, ends)


def _edge(text: str) -> Span:
    """Where the first block ends and the last one begins: paragraphs, in a text without blank lines its lines."""
    found = paragraphs(text)
    if len(found) != 1:
        return (found[0][1], found[-1][0]) if found else (0, 0)
    start, end = found[0]
    first = text.find("\n", start, end)
    if first < 0:
        return end, start
    return trimmed(text, start, first)[1], trimmed(text, text.rfind("\n", start, end) + 1, end)[0]


def _spans(plan: Plan, kinds: Iterable[str]) -> list[Span]:
    wanted = frozenset(map(str, kinds))
    return [(span.start, span.end) for span in plan.found if span.kind in wanted]
