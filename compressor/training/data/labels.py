"""Word labels from annotated data, without a teacher model.

Every function gives a soft target in [0, 1] and a weight >= 0 for each word; weight 0 means "no opinion".
Sentences are runs of words between breaks. All arrays have shape (words,).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moosproxy.compressor.kept import Span

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int32]

# Agreed values of the soft targets, question-aware.
ANSWER, ANSWER_WEIGHT = 1.0, 2.0
MATCH_ELSEWHERE, MATCH_IN_NEGATIVE, OTHER_CONTENT = 0.3, 0.1, 0.03
# Task-agnostic.
UNION_MATCH_WEIGHT, UNLABELLED_WEIGHT, EMPTY_WEIGHT = 0.5, 0.3, 1.0


@dataclass(frozen=True)
class EvidenceValues:
    """Soft targets inside evidence: words that match the question, other content words, stop words and marks."""

    match: float = 1.0
    content: float = 0.6
    glue: float = 0.25


DEFAULT_VALUES = EvidenceValues()


@dataclass(frozen=True)
class WordLabels:
    """Soft targets and weights of a text's words, and which words lie in evidence (None: not asked)."""

    target: Floats
    weight: Floats
    evidence: Bools | None = None


@dataclass(frozen=True)
class TaggedText:
    """What labelling needs to know about a text.

    keys: content keys of the words, "" for stop words and punctuation. sentences: ascending sentence numbers.
    """

    text: str
    starts: Ints
    ends: Ints
    keys: Sequence[str]
    sentences: Ints

    def inside(self, spans: Sequence[Span]) -> Bools:
        """Words that overlap any of the spans."""
        mask = np.zeros(len(self.starts), bool)
        for start, end in spans:
            first = np.searchsorted(self.ends, start, side="right")
            mask[first : np.searchsorted(self.starts, end, side="left")] = True
        return mask

    def whole_sentences(self, mask: Bools) -> Bools:
        """All words of the sentences in which any word is marked."""
        return np.isin(self.sentences, np.unique(self.sentences[mask]))

    @property
    def content(self) -> Bools:
        """Words that carry content."""
        return np.fromiter((bool(key) for key in self.keys), bool, len(self.keys))

    def matching(self, wanted: frozenset[str]) -> Bools:
        """Content words whose key is wanted."""
        return np.fromiter((bool(key) and key in wanted for key in self.keys), bool, len(self.keys))


def occurrences(text: str, needle: str) -> list[Span]:
    """Spans of every occurrence of a string, at word borders as far as letters go."""
    spans = []
    at = text.find(needle) if needle else -1
    while at >= 0:
        end = at + len(needle)
        glued = (at > 0 and text[at - 1].isalnum() and text[at].isascii() and text[at].isalnum()) or (
            end < len(text) and text[end].isalnum() and text[end - 1].isascii() and text[end - 1].isalnum()
        )
        if not glued:
            spans.append((at, end))
        at = text.find(needle, at + 1)
    return spans


def for_question(
    tagged: TaggedText,
    question: frozenset[str],
    answers: Sequence[Span],
    values: EvidenceValues = DEFAULT_VALUES,
) -> WordLabels:
    """Answers 1; their sentences by how much a word tells; matches elsewhere a little; the rest hardly."""
    answer = tagged.inside(answers)
    content, match = tagged.content, tagged.matching(question)
    evidence = tagged.whole_sentences(answer)
    target = np.where(content, OTHER_CONTENT, 0.0)
    target[match] = MATCH_ELSEWHERE
    target[evidence & ~content] = values.glue
    target[evidence & content] = values.content
    target[evidence & match] = values.match
    target[answer] = ANSWER
    weight = np.where(answer, ANSWER_WEIGHT, 1.0)
    return WordLabels(target.astype(np.float32), weight.astype(np.float32), evidence)


def for_foreign_question(tagged: TaggedText, question: frozenset[str]) -> WordLabels:
    """A passage that does not answer the question: nothing in it is worth much."""
    target = np.where(tagged.matching(question), MATCH_IN_NEGATIVE, 0.0).astype(np.float32)
    return WordLabels(target, np.ones_like(target), np.zeros(len(target), bool))


def for_any_question(tagged: TaggedText, questions: Sequence[tuple[frozenset[str], Sequence[Span]]]) -> WordLabels:
    """Union over all questions of a text: what somebody asked about is kept; what nobody did is left open."""
    content = tagged.content
    target = np.zeros(len(content))
    weight = np.where(content, UNLABELLED_WEIGHT, EMPTY_WEIGHT)
    answered = np.zeros(len(content), bool)
    for wanted, answers in questions:
        answer = tagged.inside(answers)
        telling = tagged.whole_sentences(answer) & tagged.matching(wanted)
        target[telling] = 1.0
        weight[telling] = np.maximum(weight[telling], UNION_MATCH_WEIGHT)
        answered |= answer
    target[answered], weight[answered] = 1.0, 1.0
    return WordLabels(target.astype(np.float32), weight.astype(np.float32))


def for_summary(
    tagged: TaggedText, summary: frozenset[str], is_filler: Callable[[str], bool], repeated: float = 0.5
) -> WordLabels:
    """Content words that a reference summary or answer uses are kept; a later mention counts for less."""
    match = tagged.matching(summary)
    target = match.astype(np.float32)
    seen: set[str] = set()
    for word in np.flatnonzero(match).tolist():
        key = tagged.keys[word]
        if key in seen:
            target[word] = repeated
        seen.add(key)
    weight = np.where(match, 1.0, np.where(tagged.content, 0.5, 1.0)).astype(np.float32)
    for word in range(len(target)):
        if is_filler(tagged.text[tagged.starts[word] : tagged.ends[word]]):
            target[word], weight[word] = 0.0, 1.0
    return WordLabels(target, weight)


def for_spans(tagged: TaggedText, spans: Sequence[Span], inside: float, glue: float) -> WordLabels:
    """Marked evidence or kept spans: content `inside`, other words there `glue`; unmarked content weighs less."""
    marked, content = tagged.inside(spans), tagged.content
    target = np.where(marked, np.where(content, inside, glue), 0.0).astype(np.float32)
    weight = np.where(marked | ~content, 1.0, 0.5).astype(np.float32)
    return WordLabels(target, weight)


def for_evidence(
    tagged: TaggedText,
    question: frozenset[str],
    answer: frozenset[str],
    spans: Sequence[Span],
    values: EvidenceValues = DEFAULT_VALUES,
) -> WordLabels:
    """Marked evidence for a question; words that the reference answer uses too count as much as a match."""
    evidence, content = tagged.inside(spans), tagged.content
    match, told = tagged.matching(question), tagged.matching(answer)
    target = np.where(content, OTHER_CONTENT, 0.0)
    target[match | told] = MATCH_ELSEWHERE
    target[evidence & ~content] = values.glue
    target[evidence & content] = values.content
    target[evidence & (match | told)] = values.match
    return WordLabels(target.astype(np.float32), np.ones(len(target), np.float32), evidence)


def for_rarity(tagged: TaggedText, count: Callable[[str], int]) -> WordLabels:
    """Text without annotation: words that are rare in the collection are kept, boilerplate is not. Weak."""
    rare = np.fromiter((1.0 / (1.0 + 0.1 * count(key)) if key else 0.0 for key in tagged.keys), np.float32)
    return WordLabels(rare, np.full(len(rare), 0.5, np.float32))
