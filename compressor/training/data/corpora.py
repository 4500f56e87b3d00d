"""Question answering records as endless streams of items: aware, foreign (negative) and agnostic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from moosproxy.compressor.kept import Span
from moosproxy.compressor.records import Record, title
from moosproxy.compressor.text.encoding import TextEncoder
from moosproxy.compressor.training.data import items, labels
from moosproxy.compressor.training.data.items import Item, PreparedText
from moosproxy.compressor.training.data.lexicon import Lexicon
from moosproxy.compressor.training.data.neighbours import PassageIndex

# Real passages come with a heading as often as without one.
HEADING_SHARE = 0.3
_HEADINGS = (
    "{title}\n",
    "Title: {title}\n",
    "# {title}\n\n",
    "[{number}] {title}\n",
    "Document [{number}] (Title: {title}) ",
)
# Short web questions over encyclopedia passages are few, and the most like what retrieval users ask.
REPEATED_SOURCES: Mapping[str, int] = {"nq_open_oracle": 3, "qed_dev(NaturalQuestions)": 3}
# How many near passages a negative is drawn from.
NEAR = 8


@dataclass(frozen=True)
class Question:
    """A question about a passage: its text, content keys and the spans of its answers."""

    text: str
    keys: frozenset[str]
    answers: tuple[Span, ...]


class Passages:
    """The passages of one language, with their questions."""

    def __init__(
        self,
        records: Sequence[Record],
        encoder: TextEncoder,
        values: labels.EvidenceValues = labels.DEFAULT_VALUES,
    ):
        self.records = records
        self.values = values
        self.encoder = encoder
        language = str(records[0].get("lang", "en"))
        self.lexicon = Lexicon.learn(language, (record["context"] for record in records))

    @cached_property
    def questions(self) -> list[list[Question]]:
        """Questions of each passage."""
        return [
            [
                Question(
                    qa["question"],
                    self.lexicon.key_set(qa["question"]),
                    tuple((a["start"], a["start"] + len(a["text"])) for a in qa["answers"]),
                )
                for qa in record["qas"]
                if qa["answers"]
            ]
            for record in self.records
        ]

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Passage and question numbers of one round over all questions."""
        return [
            (number, asked)
            for number, questions in enumerate(self.questions)
            for _ in range(REPEATED_SOURCES.get(self.records[number].get("source", ""), 1))
            for asked in range(len(questions))
        ]

    @cached_property
    def index(self) -> PassageIndex:
        """Finds passages that look relevant to a question."""
        return PassageIndex([self.lexicon.key_set(record["context"]) for record in self.records])

    @cached_property
    def same_title(self) -> dict[str, list[int]]:
        """Numbers of the passages of each title."""
        groups: dict[str, list[int]] = {}
        for number, record in enumerate(self.records):
            groups.setdefault(title(record), []).append(number)
        return groups

    def prepare(self, number: int, rng: np.random.Generator) -> tuple[PreparedText, int]:
        """A passage, sometimes under a heading, and by how much the heading shifts its offsets."""
        record = self.records[number]
        heading = ""
        if record.get("title") and rng.random() < HEADING_SHARE:
            form = _HEADINGS[rng.integers(len(_HEADINGS))]
            name = str(record["title"]).replace("_", " ")
            heading = form.format(title=name, number=rng.integers(1, 21))
        return items.prepare(self.encoder, self.lexicon, heading + record["context"]), len(heading)

    def foreign(self, number: int, question: Question, rng: np.random.Generator) -> int | None:
        """A passage that looks like the right one but holds none of the answers."""
        context = self.records[number]["context"]
        answers = {context[start:end].lower() for start, end in question.answers}
        if rng.random() < 0.4:
            pool = self.same_title[title(self.records[number])]
        else:
            pool = [int(n) for n in self.index.nearest(question.keys, NEAR)]
        for candidate in rng.permutation(pool):
            text = self.records[candidate]["context"].lower()
            if candidate != number and not any(answer in text for answer in answers):
                return int(candidate)
        return None


def shifted(spans: Sequence[Span], by: int) -> list[Span]:
    """Spans moved to the right."""
    return [(start + by, end + by) for start, end in spans]


def all_occurrences(text: str, spans: Sequence[Span]) -> list[Span]:
    """The spans and, for answers long enough to mean the same everywhere, every repetition of their text."""
    found = set(spans)
    for start, end in spans:
        if end - start > 3:
            found.update(labels.occurrences(text, text[start:end]))
    return sorted(found)


@dataclass(frozen=True)
class Marked:
    """A passage labelled for one question, or for all of its own. shift: of its offsets, by a heading."""

    questions: list[Question]
    prepared: PreparedText
    shift: int
    labels: labels.WordLabels


def asked_rounds(passages: Passages, rng: np.random.Generator) -> Iterator[Marked]:
    """Each question with its own passage, all questions once a round, in random order. Endless."""
    pairs = passages.pairs
    while True:
        for at in rng.permutation(len(pairs)):
            number, asked = pairs[at]
            question = passages.questions[number][asked]
            prepared, shift = passages.prepare(number, rng)
            answers = all_occurrences(prepared.tagged.text, shifted(question.answers, shift))
            marked = labels.for_question(prepared.tagged, question.keys, answers, passages.values)
            yield Marked([question], prepared, shift, marked)


def passage_rounds(passages: Passages, rng: np.random.Generator) -> Iterator[Marked]:
    """Each passage that has questions, labelled by their union, once a round, in random order. Endless."""
    while True:
        for number in rng.permutation(len(passages.records)):
            questions = passages.questions[number]
            if not questions:
                continue
            prepared, shift = passages.prepare(int(number), rng)
            union = [(question.keys, shifted(question.answers, shift)) for question in questions]
            yield Marked(questions, prepared, shift, labels.for_any_question(prepared.tagged, union))


def aware(passages: Passages, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Each question in front of its own passage."""
    for marked in asked_rounds(passages, rng):
        pieces = items.question_pieces(passages.encoder, _asked(marked.questions[0].text, rng))
        yield items.build(passages.encoder, marked.prepared, marked.labels, pieces)


def foreign(passages: Passages, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Questions with a passage that does not answer them."""
    pairs = passages.pairs
    while True:
        for at in rng.permutation(len(pairs)):
            number, asked = pairs[at]
            question = passages.questions[number][asked]
            other = passages.foreign(number, question, rng)
            if other is None:
                continue
            prepared, _ = passages.prepare(other, rng)
            marked = labels.for_foreign_question(prepared.tagged, question.keys)
            pieces = items.question_pieces(passages.encoder, _asked(question.text, rng))
            yield items.build(passages.encoder, prepared, marked, pieces)


def agnostic(passages: Passages, rng: np.random.Generator) -> Iterator[list[Item]]:
    """Passages alone."""
    for marked in passage_rounds(passages, rng):
        yield items.build(passages.encoder, marked.prepared, marked.labels)


def _asked(question: str, rng: np.random.Generator) -> str:
    """People also ask without a question mark."""
    return question.rstrip("?？ ") if rng.random() < 0.15 else question
