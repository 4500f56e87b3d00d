"""The metric of every word, as selection ranks it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.scoring import metric
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.compressor.selection import relevance, repeats, runs
from moosproxy.compressor.selection.verify import Verifier
from moosproxy.compressor.text.layout import sentence_ends

ScoreArray = npt.NDArray[np.float64]


def word_scores(plan: Plan, scores: Sequence[WindowScores], verifier: Verifier) -> ScoreArray:
    """The metric that selection ranks, shape (words,): m, weighted by the passage's relevance or line's rarity."""
    pieces = metric.piece_metric(scores, len(plan.encoding.ids), plan.settings.alpha)
    score = metric.word_means(pieces, plan.encoding)
    if len(plan.passages) > 1:
        score = score * _passage_weight(plan, scores)
    if plan.question_text:
        score = _with_sentences(plan, plan.question_text, score)
    if plan.line_rarity is not None:
        return plan.line_rarity + 0.01 * score
    content = verifier.content & ~plan.forced
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
