"""Scores in, result out: mix, select, verify, cut. Knows no model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.heat_map import WordScore
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.plan import CALLER_KINDS, Plan
from moosproxy.compressor.result import CompressionResult, KeptSpans
from moosproxy.compressor.scoring import metric
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.compressor.selection import ranking, relevance, repeats, runs
from moosproxy.compressor.selection.verify import Verifier
from moosproxy.compressor.text.layout import sentence_ends

BoolArray = npt.NDArray[np.bool_]
ScoreArray = npt.NDArray[np.float64]

# Share of the budget that verification may take from other words before the ratio is eased.
RESTORE_SHARE = 0.1
# Tokens of the joined text differ a little from the sum of its words' tokens; one correction beyond this.
COUNT_TOLERANCE = 0.02
_ROUNDS = 4


def finish(plan: Plan, scores: Sequence[WindowScores], fingerprint: str, *, words: bool) -> CompressionResult:
    """The result of a plan whose windows have all been scored."""
    began = time.perf_counter()
    before = plan.counter.count(plan.text) if plan.counter else int(plan.costs.sum())
    if plan.settings.ratio == 1 or not len(plan.costs):
        return _identity(plan, before, fingerprint)
    verifier = _verifier(plan)
    score = word_scores(plan, scores, verifier)
    budget = plan.compressible / plan.settings.ratio
    kept, restored, eased_budget = _select(plan, verifier, score, budget)
    result_text, after, kept, spans = _cut(plan, verifier, score, kept, restored, eased_budget)
    return CompressionResult(
        text=result_text,
        kept=spans,
        tokens_before=before,
        tokens_after=after,
        tokenizer=plan.counter.name if plan.counter else "encoder",
        asked_ratio=plan.settings.ratio,
        target_ratio=plan.compressible / eased_budget if eased_budget else plan.settings.ratio,
        eased=eased_budget > budget,
        fingerprint=fingerprint,
        protected=_protected(plan),
        restored=Counter(kind for word, kind in restored.items() if kept[word]),
        question=plan.question,
        timings={**plan.timings, "select": time.perf_counter() - began},
        words=_words(plan, score, kept) if words else None,
        original=plan.text if words else None,
    )


def _verifier(plan: Plan) -> Verifier:
    """What kept sentences owe."""
    return Verifier(plan.text, plan.encoding.word_starts, plan.encoding.word_ends, plan.found)


def word_scores(plan: Plan, scores: Sequence[WindowScores], verifier: Verifier | None = None) -> ScoreArray:
    """The metric that selection ranks, shape (words,): m, weighted by the passage's relevance or line's rarity."""
    pieces = metric.piece_metric(scores, len(plan.encoding.ids), plan.settings.alpha)
    score = metric.word_means(pieces, plan.encoding)
    if len(plan.passages) > 1:
        score = score * _passage_weight(plan, scores)
    if plan.question_text:
        score = _with_sentences(plan, plan.question_text, score)
    if plan.line_rarity is not None:
        return plan.line_rarity + 0.01 * score
    content = (verifier or _verifier(plan)).content & ~plan.forced
    decay = repeats.WITH_QUESTION if plan.question_text else repeats.WITHOUT_QUESTION
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    return runs.shared(score * repeats.weights(plan.text, starts, ends, content, decay), content)


def _with_sentences(plan: Plan, question: str, score: ScoreArray) -> ScoreArray:
    """Scores raised in sentences that share terms with the question."""
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    cuts = [0, *(end for end in sentence_ends(plan.text) if end < len(plan.text))]
    spans = zip(cuts, [*cuts[1:], len(plan.text)], strict=True)
    lexical = relevance.bm25(question, [plan.text[start:end] for start, end in spans])
    owner = np.searchsorted(cuts, starts, side="right") - 1
    english = relevance.english(plan.text, starts.tolist(), ends.tolist())
    return relevance.with_sentences(score, lexical[owner], english)


def _passage_weight(plan: Plan, scores: Sequence[WindowScores]) -> ScoreArray:
    """Weight in (0, 1] of each word by the relevance of its passage; words outside any passage weigh 1."""
    lexical = relevance.bm25(plan.question_text or "", [plan.text[s:e] for s, e in plan.passages])
    learned = np.zeros(len(plan.passages))
    begins = np.array([start for start, _ in plan.passages])
    for window in scores:
        at = plan.encoding.piece_starts[(window.start + window.stop) // 2]
        passage = int(np.searchsorted(begins, at, side="right")) - 1
        if passage >= 0:
            learned[passage] = max(learned[passage], window.relevance)
    weight = relevance.combine(lexical, learned)
    passage_of = np.searchsorted(begins, plan.encoding.word_starts, side="right") - 1
    ends = np.array([end for _, end in plan.passages])
    inside = (passage_of >= 0) & (plan.encoding.word_starts < ends[np.maximum(passage_of, 0)])
    return np.where(inside, weight[np.maximum(passage_of, 0)], 1.0)


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


def _identity(plan: Plan, tokens: int, fingerprint: str) -> CompressionResult:
    whole = ((0, len(plan.text)),) if plan.text else ()
    return CompressionResult(
        text=plan.text,
        kept=KeptSpans(whole),
        tokens_before=tokens,
        tokens_after=tokens,
        tokenizer=plan.counter.name if plan.counter else "encoder",
        asked_ratio=plan.settings.ratio,
        target_ratio=1.0,
        eased=False,
        fingerprint=fingerprint,
        question=plan.question,
        timings=plan.timings,
    )


def _protected(plan: Plan) -> Counter[str]:
    """Tokens that protection kept, by kind; a token under two kinds counts for both."""
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    total: Counter[str] = Counter()
    by_kind: dict[str, list[tuple[int, int]]] = {}
    for span in plan.found:
        if span.kind in plan.settings.protect or span.kind in CALLER_KINDS:
            by_kind.setdefault(span.kind, []).append((span.start, span.end))
    for kind, spans in by_kind.items():
        mask = structure.covered(spans, starts, ends) & plan.forced
        if mask.any():
            total[kind] = int(plan.costs[mask].sum())
    return total


def _words(plan: Plan, score: ScoreArray, kept: BoolArray) -> list[WordScore]:
    rows = zip(plan.encoding.word_starts, plan.encoding.word_ends, score, kept, plan.forced, strict=True)
    return [WordScore(int(s), int(e), round(float(m), 5), bool(k), bool(f)) for s, e, m, k, f in rows]
