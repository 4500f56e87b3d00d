"""Words as the unit, as the paper has it: the best words until the budget is spent, then what they owe."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.selection import ranking
from moosproxy.compressor.selection.outcome import COUNT_TOLERANCE, Outcome
from moosproxy.compressor.selection.verify import Verifier

BoolArray = npt.NDArray[np.bool_]
ScoreArray = npt.NDArray[np.float64]

# Share of the budget that verification may take from other words before the ratio is eased.
RESTORE_SHARE = 0.1
_ROUNDS = 4


def by_words(plan: Plan, verifier: Verifier, score: ScoreArray) -> Outcome:
    """The outcome of keeping the best words. score: shape (words,)."""
    budget = plan.compressible / plan.settings.ratio
    kept, restored, eased = _select(plan, verifier, score, budget)
    text, after, kept, spans = _cut(plan, verifier, score, kept, restored, eased)
    return Outcome(
        kept=spans,
        text=text,
        tokens_after=after,
        target_ratio=plan.compressible / eased if eased else plan.settings.ratio,
        eased=eased > budget,
        words=kept,
        restored=Counter(kind for word, kind in restored.items() if kept[word]),
    )


def _select(
    plan: Plan, verifier: Verifier, score: ScoreArray, budget: float
) -> tuple[BoolArray, dict[int, str], float]:
    """Kept words, the words that verification put back (with their kind), and the budget after easing."""
    order = ranking.ranked(score)
    extra = np.zeros(len(score), bool)
    restored: dict[int, str] = {}
    eased = budget
    kept = plan.forced
    for _ in range(_ROUNDS):
        owed = int(plan.costs[extra & ~plan.forced].sum())
        eased = budget + max(0.0, owed - RESTORE_SHARE * budget)
        kept = ranking.select(score, plan.costs, plan.forced | extra, eased - owed, order)
        kept = structure.with_markers(kept, plan.marker, plan.strength)
        missing = verifier.missing(kept)
        if not missing:
            break
        restored.update(missing)
        extra[[word for word, _ in missing]] = True
        kept[[word for word, _ in missing]] = True
    return kept, restored, eased


def _cut(
    plan: Plan, verifier: Verifier, score: ScoreArray, kept: BoolArray, restored: dict[int, str], budget: float
) -> tuple[str, int, BoolArray, KeptSpans]:
    """The text, its true token count, and (after one correction if the count is off) what was kept."""
    spans = KeptSpans(ranking.spans_of(kept, plan.encoding.word_starts, plan.encoding.word_ends))
    text = spans.apply(plan.text)
    if plan.counter is None:
        return text, int(plan.costs[kept].sum()), kept, spans
    after = plan.counter.count(text)
    estimated = int(plan.costs[kept].sum())
    free = int(plan.costs[kept & ~plan.forced].sum())
    if free and abs(after - estimated) > COUNT_TOLERANCE * estimated:
        corrected = max(0.0, budget * (free - (after - estimated)) / free)
        kept, more, _ = _select(plan, verifier, score, corrected)
        restored.update(more)
        spans = KeptSpans(ranking.spans_of(kept, plan.encoding.word_starts, plan.encoding.word_ends))
        text = spans.apply(plan.text)
        after = plan.counter.count(text)
    return text, after, kept, spans
