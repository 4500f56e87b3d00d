"""Units as each kind of text has them: kept or left out whole, within one budget, and told where they went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kinds.base import TextKind, Unit
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.pieces import Piece
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.selection import ranking
from moosproxy.compressor.selection.held import held
from moosproxy.compressor.selection.joining import Joined, cuts, gone, join
from moosproxy.compressor.selection.outcome import COUNT_TOLERANCE, Outcome
from moosproxy.compressor.selection.verify import Verifier

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
ScoreArray = npt.NDArray[np.float64]

READ = frozenset({TextKind.PROSE, TextKind.DIALOGUE})
"""Kinds whose units share one budget and are ranked by the model's scores."""
MISSES = 40
"""Units that do not fit are passed over so often before the budget counts as spent."""
ROUNDS = 4
BEST_WORDS = 5
"""Tuned on training questions: 92.2/86.8/84.0% of their sentences at 2/3/4, by all words 90.8/86.0/83.8."""


@dataclass(frozen=True)
class _Units:
    """All units of a text; arrays of shape (units,).

    group: units with the same number share one budget. whole: tokens of each unit. cost: what is left of them
    where the unit stays. held: stays whatever the budget. head: index of the unit's head, -1 for none.
    """

    units: Sequence[Unit]
    kinds: Sequence[TextKind]
    group: IntArray
    whole: IntArray
    cost: IntArray
    held: BoolArray
    head: Sequence[int]
    score: ScoreArray


def by_units(plan: Plan, verifier: Verifier, score: ScoreArray, before: int) -> Outcome:
    """The outcome of keeping the best units. score: of every word, shape (words,). before: tokens of the text."""
    units = _collect(plan, verifier, score)
    aim = ratio = plan.settings.ratio
    aimed = _aimed(plan, units, ratio) or before * _target(units, ratio)
    inside = gone(plan)
    best: tuple[float, Joined, BoolArray] | None = None
    for _ in range(ROUNDS):
        kept = _choose(units, aim)
        if best is not None and bool((kept == best[2]).all()):
            break
        joined = join(plan, units.units, kept, units.whole, inside)
        miss = joined.tokens / max(aimed, 1)
        if best is None or abs(miss - 1) < abs(best[0] - 1):
            best = (miss, joined, kept)
        if abs(miss - 1) <= COUNT_TOLERANCE:
            break
        aim = min(max(aim * miss, 1.0001), 1000.0)
    assert best is not None
    miss, joined, kept = best
    return Outcome(
        kept=joined.kept,
        text=joined.text,
        tokens_after=joined.tokens,
        target_ratio=ratio / max(miss, 1.0) if miss > 1 + 5 * COUNT_TOLERANCE else ratio,
        eased=miss > 1 + 5 * COUNT_TOLERANCE,
        words=joined.words,
        kinds=_by_kind(units, kept),
    )


def _target(units: _Units, ratio: float) -> float:
    """The share of the text's tokens that is aimed at: what cannot go is not made up for by the rest."""
    fixed = units.group < 0
    aimed = units.cost[fixed].sum() + units.whole[~fixed].sum() / ratio
    return float(aimed / max(units.whole.sum(), 1))


def _aimed(plan: Plan, units: _Units, ratio: float) -> float:
    """Tokens that are aimed at where white space and the like always go, 0 where a share of the text tells it.

    What they save is no reason to keep more of the rest. Words tell how long prose is; signs that touch each other
    are fewer tokens than words, so all else is what the count leaves.
    """
    drops = sorted(span for piece in plan.pieces for span in piece.drops)
    if not drops or plan.counter is None:
        return 0.0
    edges = [0, *(edge for span in drops for edge in span), len(plan.text)]
    bare = "".join(plan.text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
    read = units.group == 0
    prose, rest = units.whole[read].sum(), units.group[~read] >= 0
    left = units.cost[~read][~rest].sum() + units.whole[~read][rest].sum() / ratio
    share = left / max(units.whole[~read].sum(), 1)
    return float(prose / ratio + max(plan.counter.count(bare) - prose, 0) * share)


def _collect(plan: Plan, verifier: Verifier, score: ScoreArray) -> _Units:
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
    return _Units(
        units=units,
        kinds=kinds,
        group=np.array(groups, np.int64),
        whole=whole,
        cost=_sums(plan.costs * ~cut, first_word, last_word),
        held=held(plan, units, kinds, whole),
        head=heads,
        score=_ranks(units, score, verifier.content, first_word, last_word, asked=bool(plan.question_text)),
    )


def _groups(piece: Piece, number: int) -> list[int]:
    """0 for what the model ranks, the block's number for what its own editor ranks, -1 for what cannot go."""
    if piece.kind in READ:
        return [0] * len(piece.units)
    ranked = any(unit.rank is not None and not unit.must for unit in piece.units)
    fixed = number if ranked else -1
    return [fixed if unit.must else 0 if unit.rank is None else number for unit in piece.units]


def _sums(values: npt.NDArray[np.int32], first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]) -> IntArray:
    total = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return np.asarray(total[last] - total[first], np.int64)


def _ranks(
    units: Sequence[Unit],
    score: ScoreArray,
    content: BoolArray,
    first: npt.NDArray[np.intp],
    last: npt.NDArray[np.intp],
    *,
    asked: bool,
) -> ScoreArray:
    """An editor's own rank, else the mean score of the unit's content words, shape (units,).

    asked: of the best BEST_WORDS of them, as an answer is a few words of its sentence.
    """
    total = np.concatenate(([0.0], np.cumsum(np.where(content, score, 0.0))))
    count = np.concatenate(([0], np.cumsum(content)))
    mean = (total[last] - total[first]) / np.maximum(count[last] - count[first], 1)
    if asked:
        words = np.where(content, score, 0.0)
        mean = np.array(
            [np.sort(words[a:b])[-BEST_WORDS:].sum() / BEST_WORDS for a, b in zip(first, last, strict=True)],
            np.float64,
        )
    own = np.array([np.nan if unit.rank is None else unit.rank for unit in units], np.float64)
    return np.where(np.isnan(own), mean, own)


def _choose(units: _Units, ratio: float) -> BoolArray:
    """Kept units, shape (units,): in every group the held ones, then the best while the budget lasts."""
    kept = units.held | (units.group < 0)
    for index in np.flatnonzero(kept).tolist():
        kept[_heads(units, index, kept)] = True
    for group in members(units.group):
        budget = units.whole[group].sum() / ratio - units.cost[group[kept[group]]].sum()
        _fill(units, group, kept, float(budget))
    if len(kept) and not kept.any():
        kept[int(np.argmax(units.score))] = True
    return kept


def members(group: IntArray) -> list[npt.NDArray[np.intp]]:
    """The units of every group that has a budget, ascending. Linear, however many groups there are."""
    order = np.argsort(group, kind="stable")
    order = order[int(np.searchsorted(group[order], 0)) :]
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else []


def _fill(units: _Units, group: npt.NDArray[np.intp], kept: BoolArray, budget: float) -> None:
    misses = 0
    order = group[ranking.ranked(units.score[group])]
    for index in order.tolist():
        if kept[index] or units.units[index].heads:
            continue
        heads = _heads(units, index, kept)
        cost = int(units.cost[index]) + sum(int(units.cost[head]) for head in heads)
        # The nearer of the two sides of the budget, once; a smaller unit may fit after that.
        if cost > budget and (misses or cost - budget >= budget):
            misses += 1
            if misses > MISSES:
                break
            continue
        kept[index] = True
        kept[heads] = True
        budget -= cost
        if budget <= 0:
            break


def _heads(units: _Units, index: int, kept: BoolArray) -> list[int]:
    """The heads of a unit that are not kept yet: its own, that one's own, and so on."""
    found: list[int] = []
    while (index := units.head[index]) >= 0 and not kept[index]:
        found.append(index)
    return found


def _by_kind(units: _Units, kept: BoolArray) -> dict[str, tuple[int, int]]:
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    sizes = zip(units.kinds, units.whole.tolist(), units.cost.tolist(), kept.tolist(), strict=True)
    for kind, whole, cost, stays in sizes:
        before[kind.value] += whole
        after[kind.value] += cost if stays else 0
    return {kind: (count, after[kind]) for kind, count in before.items()}
