"""What a checkpoint keeps on the held-out slice: answers, reference words, token F1 and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moosproxy.compressor.kept import Span
from moosproxy.compressor.records import Record
from moosproxy.compressor.text.encoding import IntArray, TextEncoder
from moosproxy.compressor.training.data import corpora, documents, items, labels
from moosproxy.compressor.training.data.items import PreparedText
from moosproxy.compressor.training.data.labels import Floats
from moosproxy.compressor.training.data.lexicon import Lexicon
from moosproxy.compressor.training.scoring import TextScores, score, select

RATIOS = (2.0, 3.0, 4.0, 5.0, 8.0)
QUESTIONS, PILES, PASSAGES_PER_PILE, MEETINGS = 400, 30, 20, 5
MEETING_CHARS = 20_000


@dataclass(frozen=True)
class Case:
    """A held-out text, the question if any, the gold spans (one must survive whole) and the word labels."""

    prepared: PreparedText
    question: IntArray | None
    gold: tuple[Span, ...]
    targets: labels.WordLabels


@dataclass(frozen=True)
class Cases:
    """Fixed cases of every kind. meetings: transcripts with the content keys of their reference answers."""

    aware: list[Case]
    agnostic: list[Case]
    piles: list[Case]
    meetings: list[tuple[PreparedText, frozenset[str]]]


def build_cases(records: Mapping[str, list[Record]], encoder: TextEncoder, seed: int) -> Cases:
    """Cases from the held-out records; the same for the same seed."""
    rng = np.random.default_rng([seed, 1])
    passages = corpora.Passages(records["qa_spans"], encoder)
    pairs = [(n, q) for n, asked in enumerate(passages.questions) for q in range(len(asked))]
    chosen = [pairs[at] for at in rng.permutation(len(pairs))[:QUESTIONS]]
    aware, agnostic = [], []
    texts: dict[int, PreparedText] = {}
    for number, asked in chosen:
        question = passages.questions[number][asked]
        text = passages.records[number]["context"]
        if number not in texts:
            texts[number] = items.prepare(encoder, passages.lexicon, text)
        prepared = texts[number]
        gold = tuple(corpora.all_occurrences(text, question.answers))
        pieces = items.question_pieces(encoder, question.text)
        aware.append(Case(prepared, pieces, gold, labels.for_question(prepared.tagged, question.keys, gold)))
        union = [(q.keys, q.answers) for q in passages.questions[number]]
        agnostic.append(Case(prepared, None, gold, labels.for_any_question(prepared.tagged, union)))
    web = [pair for pair in pairs if passages.records[pair[0]].get("source") in corpora.REPEATED_SOURCES]
    web = web or pairs
    piles = [_pile(passages, web[at], rng) for at in rng.permutation(len(web))[:PILES]]
    lexicon = Lexicon.learn("en", ())
    talks = [
        (
            items.prepare(encoder, lexicon, record["transcript"][:MEETING_CHARS]),
            documents.meeting_keys(record, lexicon),
        )
        for record in records.get("meetings", ())[:MEETINGS]
    ]
    return Cases(aware, agnostic, piles, talks)


def _pile(passages: corpora.Passages, pair: tuple[int, int], rng: np.random.Generator) -> Case:
    """The passage of a question among passages that look relevant but hold no answer."""
    number, asked = pair
    question = passages.questions[number][asked]
    gold_text = passages.records[number]["context"]
    answers = [gold_text[start:end].lower() for start, end in question.answers]
    near = [int(n) for n in passages.index.nearest(question.keys, 4 * PASSAGES_PER_PILE) if n != number]
    texts = [passages.records[n]["context"] for n in near]
    texts = [t for t in texts if not any(a in t.lower() for a in answers)][: PASSAGES_PER_PILE - 1]
    at = int(rng.integers(len(texts) + 1))
    texts.insert(at, gold_text)
    text = "\n\n".join(texts)
    shift = sum(len(t) + 2 for t in texts[:at])
    gold = tuple(corpora.shifted(corpora.all_occurrences(gold_text, question.answers), shift))
    prepared = items.prepare(passages.encoder, passages.lexicon, text)
    pieces = items.question_pieces(passages.encoder, question.text)
    return Case(prepared, pieces, gold, labels.for_question(prepared.tagged, question.keys, gold))


def intact(case: Case, scores: Floats, ratio: float) -> bool:
    """Whether every word of some gold span is kept."""
    kept = select(scores, case.prepared.encoding.word_costs, ratio)
    return any(kept[case.prepared.tagged.inside([span])].all() for span in case.gold)


def told(talk: PreparedText, wanted: frozenset[str], scores: Floats, ratio: float) -> float:
    """Share of the wanted content words of a transcript that still occur in what is kept."""
    kept = select(scores, talk.encoding.word_costs, ratio)
    keys = np.array(talk.tagged.keys, dtype=object)
    there = set(keys) & wanted
    return len(set(keys[kept]) & wanted) / max(len(there), 1)


def evaluate(model: Any, encoder: TextEncoder, cases: Cases) -> dict[str, Any]:
    """All held-out figures, as plain numbers for moos.json and for logs."""
    scored = {
        name: score_cases(model, encoder, group)
        for name, group in (("aware", cases.aware), ("agnostic", cases.agnostic), ("piles", cases.piles))
    }
    figures: dict[str, Any] = {}
    for name, group in (("aware", cases.aware), ("agnostic", cases.agnostic), ("piles", cases.piles)):
        figures[f"{name}_intact"] = {
            f"{ratio:g}x": _percent([intact(c, s.word, ratio) for c, s in zip(group, scored[name], strict=True)])
            for ratio in RATIOS
        }
    weighed = [relevance_weighted(s) for s in scored["piles"]]
    figures["piles_intact_with_relevance"] = {
        f"{ratio:g}x": _percent([intact(c, s, ratio) for c, s in zip(cases.piles, weighed, strict=True)])
        for ratio in RATIOS
    }
    talks = score(model, encoder, [(talk, None) for talk, _ in cases.meetings])
    figures["meetings_told"] = {
        f"{ratio:g}x": _percent(
            [told(t, wanted, s.word, ratio) for (t, wanted), s in zip(cases.meetings, talks, strict=True)]
        )
        for ratio in RATIOS
    }
    for name, group in (("aware", cases.aware), ("agnostic", cases.agnostic)):
        figures[f"{name}_tokens"] = token_figures(group, scored[name])
    figures["calibration"] = calibration(cases.aware + cases.agnostic, scored["aware"] + scored["agnostic"])
    return figures


def score_cases(model: Any, encoder: TextEncoder, cases: Sequence[Case]) -> list[TextScores]:
    """Scores of every case; a text that several cases share without a question is scored once."""
    keys = [id(case.prepared) if case.question is None else -number for number, case in enumerate(cases)]
    distinct = dict(zip(keys, cases, strict=True))
    scores = score(model, encoder, [(case.prepared, case.question) for case in distinct.values()])
    by_key = dict(zip(distinct, scores, strict=True))
    return [by_key[key] for key in keys]


def relevance_weighted(scores: TextScores, power: float = 0.5) -> Floats:
    """Word scores with the relevance of their window's [CLS] mixed in."""
    mixed: Floats = scores.word * np.power(np.maximum(scores.relevance, 1e-4), power)
    return mixed


def token_figures(cases: Sequence[Case], scores: Sequence[TextScores]) -> dict[str, float]:
    """AUC of words, and F1 when as many words are kept as are labelled "preserve" (equal keep rate)."""
    truth, p = _labelled(cases, scores)
    positives = int(truth.sum())
    if not positives or positives == len(truth):
        return {"f1": 0.0, "auc": 0.0}
    order = np.argsort(p, kind="stable")
    ranks = np.empty(len(p))
    ranks[order] = np.arange(1, len(p) + 1)
    auc = (ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (len(p) - positives))
    f1 = truth[order[-positives:]].mean()
    return {"f1": round(100 * float(f1), 2), "auc": round(100 * float(auc), 2)}


def calibration(cases: Sequence[Case], scores: Sequence[TextScores], bins: int = 10) -> list[dict[str, float]]:
    """Reliability of p(preserve): mean prediction, share labelled "preserve" and number of words in each bin."""
    truth, p = _labelled(cases, scores)
    number = np.minimum((p * bins).astype(int), bins - 1)
    return [
        {
            "mean_p": round(float(p[number == b].mean()), 4),
            "preserved": round(float(truth[number == b].mean()), 4),
            "words": int((number == b).sum()),
        }
        for b in range(bins)
        if (number == b).any()
    ]


def _labelled(
    cases: Sequence[Case], scores: Sequence[TextScores]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    seen = [case.targets.weight > 0 for case in cases]
    truth = np.concatenate([case.targets.target[mask] >= 0.5 for case, mask in zip(cases, seen, strict=True)])
    p = np.concatenate([s.word[mask] for s, mask in zip(scores, seen, strict=True)])
    return truth, p


def _percent(values: Sequence[float | bool]) -> float:
    return round(100 * float(np.mean(values)), 2) if len(values) else 0.0
