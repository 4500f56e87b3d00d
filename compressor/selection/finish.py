"""Scores in, result out. Knows no model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.calibration import Calibration
from moosproxy.compressor.heat_map import WordScore
from moosproxy.compressor.kept import KeptSpans
from moosproxy.compressor.planning import structure
from moosproxy.compressor.planning.plan import CALLER_KINDS, Plan
from moosproxy.compressor.result import CompressionResult
from moosproxy.compressor.scoring.metric import WindowScores
from moosproxy.compressor.selection.by_words import by_words
from moosproxy.compressor.selection.floor import choose
from moosproxy.compressor.selection.scores import word_scores
from moosproxy.compressor.selection.units.by_units import UnitSelection, by_kind, by_units
from moosproxy.compressor.selection.units.collected import collect
from moosproxy.compressor.selection.verify import Verifier

BoolArray = npt.NDArray[np.bool_]
ScoreArray = npt.NDArray[np.float64]


def finish(
    plan: Plan,
    scores: Sequence[WindowScores],
    fingerprint: str,
    *,
    words: bool,
    calibration: Calibration | None = None,
) -> CompressionResult:
    """The result of a plan whose windows have all been scored. calibration: needed for a quality."""
    began = time.perf_counter()
    before = plan.counter.count(plan.text) if plan.counter else int(plan.costs.sum())
    if plan.settings.ratio == 1 or plan.alone or not len(plan.costs):
        return _identity(plan, before, fingerprint)
    verifier = _verifier(plan)
    score = word_scores(plan, scores, verifier)
    floor = None
    if plan.settings.quality is not None and calibration is not None:
        selection = UnitSelection(plan, verifier, score, before)
        floor, found = choose(plan, selection, calibration)
        if found is None:
            kinds = by_kind(selection.units, np.ones(len(selection.units.units), bool))
            return replace(_identity(plan, before, fingerprint), floor=floor, asked_ratio=1.0, kinds=kinds)
        outcome = found
    else:
        outcome = by_units(plan, verifier, score, before) if plan.pieces else by_words(plan, verifier, score)
    return CompressionResult(
        text=outcome.text,
        kept=outcome.kept,
        tokens_before=before,
        tokens_after=outcome.tokens_after,
        tokenizer=plan.counter.name if plan.counter else "encoder",
        asked_ratio=floor.ratio if floor and floor.ratio else plan.settings.ratio,
        target_ratio=outcome.target_ratio,
        eased=outcome.eased,
        fingerprint=fingerprint,
        protected=_protected(plan, outcome.words),
        restored=outcome.restored,
        kinds=outcome.kinds,
        question=plan.question,
        timings={**plan.timings, "select": time.perf_counter() - began},
        words=_words(plan, score, outcome.words) if words else None,
        original=plan.text if words else None,
        floor=floor,
    )


def selection_of(plan: Plan, scores: Sequence[WindowScores]) -> UnitSelection:
    """The plan's units ready to be chosen from at any ratio. plan: with units, its windows scored."""
    verifier = _verifier(plan)
    before = plan.counter.count(plan.text) if plan.counter else int(plan.costs.sum())
    return UnitSelection(plan, verifier, word_scores(plan, scores, verifier), before)


def _verifier(plan: Plan) -> Verifier:
    return Verifier(plan.text, plan.encoding.word_starts, plan.encoding.word_ends, plan.found)


def _identity(plan: Plan, tokens: int, fingerprint: str) -> CompressionResult:
    whole = ((0, len(plan.text)),) if plan.text else ()
    units = collect(plan) if plan.alone else None
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
        kinds=by_kind(units, np.ones(len(units.units), bool)) if units else {},
        alone=plan.alone,
        every_word=plan.every_word,
        question=plan.question,
        timings=plan.timings,
    )


def _protected(plan: Plan, kept: BoolArray) -> Counter[str]:
    """Tokens of protected kinds that were kept, by kind; a token under two kinds counts for both."""
    starts, ends = plan.encoding.word_starts, plan.encoding.word_ends
    total: Counter[str] = Counter()
    by_kind: dict[str, list[tuple[int, int]]] = {}
    for span in plan.found:
        if span.kind in plan.settings.protect or span.kind in CALLER_KINDS:
            by_kind.setdefault(span.kind, []).append((span.start, span.end))
    for kind, spans in by_kind.items():
        mask = structure.covered(spans, starts, ends) & (kept if plan.pieces else plan.forced)
        if mask.any():
            total[kind] = int(plan.costs[mask].sum())
    return total


def _words(plan: Plan, score: ScoreArray, kept: BoolArray) -> list[WordScore]:
    rows = zip(plan.encoding.word_starts, plan.encoding.word_ends, score, kept, plan.forced, strict=True)
    return [WordScore(int(s), int(e), round(float(m), 5), bool(k), bool(f)) for s, e, m, k, f in rows]
