"""Meetings, articles, abstracts, sentences and agent text as endless streams of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from moosproxy.compressor.records import Record
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.data import items, labels
from moosproxy.compressor.training.data.items import Item
from moosproxy.compressor.training.data.lexicon import Lexicon, is_filler

# Long texts are read in slices of this many characters, so that one meeting does not fill a whole batch.
SLICE_CHARS = 3600
# Windows of one long text that a question is asked about.
POSITIVE_WINDOWS, NEGATIVE_WINDOWS = 3, 2
# Text of an article around its evidence that a question is asked about.
MARGIN_CHARS = 1500


def _line_slice(text: str, rng: np.random.Generator, size: int = SLICE_CHARS) -> tuple[int, int]:
    """A random slice that begins and ends at line ends where there are any."""
    if len(text) <= size:
        return 0, len(text)
    start = int(rng.integers(0, len(text) - size))
    start = text.find("\n", start, start + size // 2) + 1 or start
    end = text.rfind("\n", start + size // 2, start + size) + 1 or min(start + size, len(text))
    return start, end


def _cut(spans: Sequence[Sequence[int]], start: int, end: int) -> list[tuple[int, int]]:
    """Spans that overlap a slice, in its own offsets."""
    return [(max(s, start) - start, min(e, end) - start) for s, e in spans if s < end and e > start]


def meetings(records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Slices of transcripts, labelled by what the reference answers and the summary say."""
    lexicon = Lexicon.learn("en", ())
    wanted = [meeting_keys(record, lexicon) for record in records]
    while True:
        for number in rng.permutation(len(records)):
            text = records[number]["transcript"]
            start, end = _line_slice(text, rng)
            prepared = items.prepare(encoder, lexicon, text[start:end])
            marked = labels.for_summary(prepared.tagged, wanted[number], is_filler)
            yield items.build(encoder, prepared, marked)


def meeting_keys(record: Record, lexicon: Lexicon) -> frozenset[str]:
    """Content keys of a meeting's summary and of all its reference answers."""
    texts = [query["answer"] for query in record["queries"]] + [str(record.get("summary") or "")]
    return frozenset().union(*(lexicon.key_set(text) for text in texts))


def meeting_queries(
    records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator, values: labels.EvidenceValues
) -> Iterator[list[Item]]:
    """Queries about meetings: human-marked sentences are the evidence, the answer's own words count most."""
    lexicon = Lexicon.learn("en", ())
    asked: list[tuple[Record, str, str, list[tuple[int, int, str]]]] = []
    for record in records:
        answers = {query["query"]: query["answer"] for query in record["queries"]}
        asked += [
            (record, mark["query"], answers.get(mark["query"], ""), mark["evidence"])
            for mark in record.get("evidence") or []
            if mark["evidence"]
        ]
    while True:
        for at in rng.permutation(len(asked)):
            record, query, answer, evidence = asked[at]
            spans = [(s, e) for s, e, _ in evidence]
            middle = spans[rng.integers(len(spans))][0]
            start = max(0, middle - int(rng.integers(200, SLICE_CHARS // 2)))
            text = record["transcript"][start : start + SLICE_CHARS]
            prepared = items.prepare(encoder, lexicon, text)
            marked = labels.for_evidence(
                prepared.tagged,
                lexicon.key_set(query),
                lexicon.key_set(answer),
                _cut(spans, start, start + len(text)),
                values,
            )
            pieces = items.question_pieces(encoder, query)
            built = items.build(encoder, prepared, marked, pieces)
            yield items.sample_windows(built, rng, POSITIVE_WINDOWS, 1)


def article_questions(
    records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator, values: labels.EvidenceValues
) -> Iterator[list[Item]]:
    """Questions about the outcome of a trial, with the passages that experts marked and some of the others."""
    lexicon = Lexicon.learn("en", ())
    while True:
        for number in rng.permutation(len(records)):
            record = records[number]
            prompt = record["prompts"][rng.integers(len(record["prompts"]))]
            if not prompt["evidence"]:
                continue
            question = _trial_question(prompt, rng)
            middle = prompt["evidence"][rng.integers(len(prompt["evidence"]))][0]
            start = max(0, middle - int(rng.integers(0, MARGIN_CHARS)))
            text = record["text"][start : start + 2 * MARGIN_CHARS]
            prepared = items.prepare(encoder, lexicon, text)
            spans = _cut(prompt["evidence"], start, start + len(text))
            marked = labels.for_evidence(prepared.tagged, lexicon.key_set(question), frozenset(), spans, values)
            built = items.build(encoder, prepared, marked, items.question_pieces(encoder, question))
            yield items.sample_windows(built, rng, POSITIVE_WINDOWS, NEGATIVE_WINDOWS)


def _trial_question(prompt: Record, rng: np.random.Generator) -> str:
    forms = (
        "What was the effect of {intervention} on {outcome} compared to {comparator}?",
        "Did {intervention} change {outcome} compared with {comparator}?",
        "How does {intervention} compare to {comparator} in terms of {outcome}?",
        "{outcome}: {intervention} versus {comparator}",
    )
    return forms[rng.integers(len(forms))].format(**prompt)


def articles(records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Parts of articles around evidence, without a question: whatever experts marked for any question is kept."""
    lexicon = Lexicon.learn("en", ())
    while True:
        for number in rng.permutation(len(records)):
            record = records[number]
            spans = [span for prompt in record["prompts"] for span in prompt["evidence"]]
            if not spans:
                continue
            start = max(0, spans[rng.integers(len(spans))][0] - int(rng.integers(0, MARGIN_CHARS)))
            text = record["text"][start : start + 2 * MARGIN_CHARS]
            prepared = items.prepare(encoder, lexicon, text)
            marked = labels.for_spans(prepared.tagged, _cut(spans, start, start + len(text)), 0.8, 0.1)
            yield items.build(encoder, prepared, marked)


def kept_spans(
    records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator, glue: float
) -> Iterator[list[Item]]:
    """Texts with the spans that a human or an oracle kept (abstracts, deletion compression)."""
    languages = sorted({str(record.get("lang", "en")) for record in records})
    lexicons = {
        language: Lexicon.learn(language, [r["text"] for r in records if r.get("lang", "en") == language])
        for language in languages
    }
    while True:
        for number in rng.permutation(len(records)):
            record = records[number]
            prepared = items.prepare(encoder, lexicons[str(record.get("lang", "en"))], record["text"])
            spans = [(start, end) for start, end in record["keep"]]
            yield items.build(encoder, prepared, labels.for_spans(prepared.tagged, spans, 0.9, glue))


def agent_text(records: Sequence[Record], encoder: TextEncoder, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Code, Markdown, JSON and agent logs without annotation: rare words kept, boilerplate not."""
    lexicon = Lexicon.learn("en", ())
    counts = Counter(key for record in records for key in lexicon.key_set(record["text"]))
    while True:
        for number in rng.permutation(len(records)):
            text = records[number]["text"]
            start, end = _line_slice(text, rng, SLICE_CHARS // 2)
            prepared = items.prepare(encoder, lexicon, text[start:end])
            yield items.build(encoder, prepared, labels.for_rarity(prepared.tagged, counts.__getitem__))
