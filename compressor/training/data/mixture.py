"""The training mixture: which share of the tokens each stream of items gets, and the plan of batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moosproxy.compressor.records import Record, held_out, read
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.data import corpora, documents
from moosproxy.compressor.training.data.items import Item, hardened
from moosproxy.compressor.training.data.labels import DEFAULT_VALUES, EvidenceValues

FILES = (
    "qa_spans",
    "qa_spans_multilingual",
    "meetings",
    "long_evidence",
    "extractive_sentences",
    "sentence_compression_open",
    "unlabeled_agent_text",
)
# Shares of the tokens. Question-aware and agnostic question answering get about the same number of examples.
SHIPPED: Mapping[str, float] = {
    "qa_aware": 0.32,
    "qa_foreign": 0.11,
    "qa_agnostic": 0.27,
    "multilingual_aware": 0.05,
    "multilingual_foreign": 0.02,
    "multilingual_agnostic": 0.03,
    "meetings": 0.08,
    "meeting_queries": 0.03,
    "article_questions": 0.04,
    "articles": 0.02,
    "abstracts": 0.01,
    "deletions": 0.01,
    "agent_text": 0.01,
}
# The second run of the shipped recipe: the questions that the first had no time for.
POLISH: Mapping[str, float] = {
    "qa_aware": 0.45,
    "qa_foreign": 0.12,
    "qa_agnostic": 0.25,
    "multilingual_aware": 0.04,
    "multilingual_agnostic": 0.03,
    "meetings": 0.05,
    "meeting_queries": 0.02,
    "article_questions": 0.03,
    "articles": 0.01,
}
# Beside the texts that a reader is asked about: what those do not teach.
ANSWERS: Mapping[str, float] = {
    "qa_aware": 0.2,
    "qa_foreign": 0.25,
    "multilingual_aware": 0.15,
    "multilingual_agnostic": 0.12,
    "meetings": 0.14,
    "meeting_queries": 0.05,
    "article_questions": 0.05,
    "articles": 0.02,
    "agent_text": 0.02,
}
# What a shallower encoder learns a deeper one's scores on: no labels are needed, so more of the unlabelled text.
DISTIL: Mapping[str, float] = {
    "qa_aware": 0.22,
    "qa_foreign": 0.14,
    "qa_agnostic": 0.2,
    "multilingual_aware": 0.08,
    "multilingual_foreign": 0.03,
    "multilingual_agnostic": 0.09,
    "meetings": 0.08,
    "meeting_queries": 0.04,
    "article_questions": 0.05,
    "articles": 0.03,
    "agent_text": 0.04,
}
# What a short comparison run needs.
QUESTIONS: Mapping[str, float] = {"qa_aware": 0.42, "qa_foreign": 0.16, "qa_agnostic": 0.42}
# The LLMLingua-2 recipe on this data: no questions, hard labels.
RIVAL: Mapping[str, float] = {
    "qa_agnostic_hard": 0.78,
    "multilingual_agnostic_hard": 0.1,
    "meetings_hard": 0.08,
    "articles_hard": 0.02,
    "abstracts_hard": 0.01,
    "deletions_hard": 0.01,
}
NAMED: Mapping[str, Mapping[str, float]] = {
    "shipped": SHIPPED,
    "polish": POLISH,
    "answers": ANSWERS,
    "distil": DISTIL,
    "questions": QUESTIONS,
    "rival": RIVAL,
}

Stream = Callable[[corpora.Passages, np.random.Generator], Iterator[list[Item]]]

# Batches are sorted by length inside pools of this many, so that little is padded and order stays random.
POOL_BATCHES = 48


@dataclass(frozen=True)
class Slices:
    """The records, split by title."""

    train: Mapping[str, list[Record]]
    held_out: Mapping[str, list[Record]]


def load(data: Path, share: float, seed: int, names: tuple[str, ...] = FILES) -> Slices:
    """Reads the record files and holds out a share of the titles of each."""
    train: dict[str, list[Record]] = {}
    kept: dict[str, list[Record]] = {}
    for name in names:
        train[name], kept[name] = [], []
        for record in read(data, name):
            (kept if held_out(record, share, seed) else train)[name].append(record)
    return Slices(train, kept)


class Streams:
    """Streams of items by name, each with its own random numbers, so that shares do not disturb each other."""

    def __init__(
        self,
        records: Mapping[str, list[Record]],
        encoder: TextEncoder,
        seed: int,
        values: EvidenceValues = DEFAULT_VALUES,
    ):
        self.records, self.encoder, self.seed, self.values = records, encoder, seed, values
        self._english: corpora.Passages | None = None
        self._foreign_languages: list[corpora.Passages] | None = None

    @property
    def english(self) -> corpora.Passages:
        """The English passages."""
        if self._english is None:
            self._english = corpora.Passages(self.records["qa_spans"], self.encoder, self.values)
        return self._english

    @property
    def other_languages(self) -> list[corpora.Passages]:
        """The passages of every other language."""
        if self._foreign_languages is None:
            by_language: dict[str, list[Record]] = {}
            for record in self.records["qa_spans_multilingual"]:
                by_language.setdefault(record["lang"], []).append(record)
            self._foreign_languages = [
                corpora.Passages(by_language[k], self.encoder, self.values) for k in sorted(by_language)
            ]
        return self._foreign_languages

    def open(self, name: str) -> Iterator[list[Item]]:
        """An endless stream; a name that ends in `_hard` hardens its labels. Raises KeyError if unknown."""
        plain = name.removesuffix("_hard")
        number = int.from_bytes(hashlib.sha256(plain.encode()).digest()[:4], "big")
        stream = self._open(plain, np.random.default_rng([self.seed, number]))
        if plain == name:
            return stream
        return ([hardened(item) for item in items] for items in stream)

    def _open(self, name: str, rng: np.random.Generator) -> Iterator[list[Item]]:
        get, encoder = self.records.__getitem__, self.encoder
        match name:
            case "qa_aware":
                return corpora.aware(self.english, rng)
            case "qa_foreign":
                return corpora.foreign(self.english, rng)
            case "qa_agnostic":
                return corpora.agnostic(self.english, rng)
            case "multilingual_aware":
                return self._in_turn(corpora.aware, rng)
            case "multilingual_foreign":
                return self._in_turn(corpora.foreign, rng)
            case "multilingual_agnostic":
                return self._in_turn(corpora.agnostic, rng)
            case "meetings":
                return documents.meetings(get("meetings"), encoder, rng)
            case "meeting_queries":
                return documents.meeting_queries(get("meetings"), encoder, rng, self.values)
            case "article_questions":
                return documents.article_questions(get("long_evidence"), encoder, rng, self.values)
            case "articles":
                return documents.articles(get("long_evidence"), encoder, rng)
            case "abstracts":
                return documents.kept_spans(get("extractive_sentences"), encoder, rng, 0.1)
            case "deletions":
                return documents.kept_spans(get("sentence_compression_open"), encoder, rng, 0.6)
            case "agent_text":
                return documents.agent_text(get("unlabeled_agent_text"), encoder, rng)
        raise KeyError(f"unknown training stream {name}")

    def _in_turn(self, kind: Stream, rng: np.random.Generator) -> Iterator[list[Item]]:
        """One stream a language, drawn by the square root of its size: large languages do not drown small ones."""
        streams = [kind(passages, rng) for passages in self.other_languages]
        shares = np.sqrt([len(passages.records) for passages in self.other_languages])
        while True:
            yield next(streams[rng.choice(len(streams), p=shares / shares.sum())])


def collect(streams: Streams, shares: Mapping[str, float], tokens: int) -> list[Item]:
    """Items of every stream until its share of the tokens is reached, stream after stream."""
    collected: list[Item] = []
    for name, share in shares.items():
        stream, left = streams.open(name), share * tokens
        while left > 0:
            for item in next(stream):
                collected.append(item)
                left -= len(item.ids)
    return collected


def batches(items: list[Item], batch_tokens: int, seed: int) -> list[list[int]]:
    """Numbers of the items of every batch, in training order.

    A batch holds at most batch_tokens pieces, padding included; items of similar length share one.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(items))
    lengths = np.array([len(item.ids) for item in items])
    mean = max(float(lengths.mean()), 1.0) if len(items) else 1.0
    pool = max(int(POOL_BATCHES * batch_tokens / mean), 1)
    planned: list[list[int]] = []
    for at in range(0, len(order), pool):
        chunk = order[at : at + pool]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        made: list[list[int]] = [[]]
        for number in chunk:
            if made[-1] and (len(made[-1]) + 1) * lengths[number] > batch_tokens:
                made.append([])
            made[-1].append(int(number))
        planned += [made[i] for i in rng.permutation(len(made))]
    return planned
