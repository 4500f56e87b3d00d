"""Texts with the questions that a frozen reader will ask of what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from moosproxy.compressor.kept import Span
from moosproxy.compressor.planning import windows
from moosproxy.compressor.text.encoding import IntArray, TextEncoder
from moosproxy.compressor.training.data import corpora, items
from moosproxy.compressor.training.data.items import Item, PreparedText
from moosproxy.compressor.training.data.labels import Bools

# Longer texts do not fit into the reader's input beside a question.
TEXT_PIECES = 320
# Questions asked of one text that is compressed without a question.
QUESTIONS_A_TEXT = 2
# Serving protects numbers as often as not; then words with a digit are kept whatever they score.
DIGITS_FORCED = 0.5


@dataclass(frozen=True)
class Read:
    """A question's pieces and the words of its answer, [first, last)."""

    question: IntArray
    first: int
    last: int


@dataclass(frozen=True)
class AskedText:
    """A text, its encoder inputs, and what the reader asks.

    placed: the inputs with the piece ranges they cover. forced: words kept whatever they score, shape (words,).
    ratio: original pieces / kept pieces.
    """

    prepared: PreparedText
    placed: list[tuple[Item, windows.Window]]
    forced: Bools
    reads: list[Read]
    ratio: float

    @property
    def input_pieces(self) -> int:
        """Pieces of the encoder inputs."""
        return sum(len(item.ids) for item, _ in self.placed)


def agnostic(passages: corpora.Passages, rng: np.random.Generator) -> Iterator[AskedText]:
    """Every passage once a round, compressed without a question, read by up to QUESTIONS_A_TEXT."""
    for marked in corpora.passage_rounds(passages, rng):
        chosen = rng.permutation(len(marked.questions))[:QUESTIONS_A_TEXT]
        some = replace(marked, questions=[marked.questions[number] for number in chosen])
        made = _asked(passages.encoder, some, None, rng, (1.5, 6))
        if made:
            yield made


def aware(passages: corpora.Passages, rng: np.random.Generator) -> Iterator[AskedText]:
    """Every question once a round, with its passage compressed for it."""
    for marked in corpora.asked_rounds(passages, rng):
        pieces = items.question_pieces(passages.encoder, marked.questions[0].text)
        made = _asked(passages.encoder, marked, pieces, rng, (2, 10))
        if made:
            yield made


def _asked(
    encoder: TextEncoder,
    marked: corpora.Marked,
    front: IntArray | None,
    rng: np.random.Generator,
    ratios: tuple[float, float],
) -> AskedText | None:
    """None where the text is too long for the reader, or no answer covers a word."""
    prepared = marked.prepared
    if not 0 < len(prepared.encoding.ids) <= TEXT_PIECES:
        return None
    reads = []
    for question in marked.questions:
        first, last = _words(prepared, corpora.shifted(question.answers, marked.shift)[0])
        if first < last:
            reads.append(Read(items.question_pieces(encoder, question.text), first, last))
    if not reads:
        return None
    forced = np.zeros(len(prepared.tagged.starts), bool)
    if rng.random() < DIGITS_FORCED:
        forced = _with_digit(prepared)
    low, high = np.log(ratios)
    ratio = float(np.exp(rng.uniform(low, high)))
    return AskedText(prepared, items.placed(encoder, prepared, marked.labels, front), forced, reads, ratio)


def _words(prepared: PreparedText, span: Span) -> tuple[int, int]:
    tagged = prepared.tagged
    first = int(np.searchsorted(tagged.ends, span[0], side="right"))
    return first, int(np.searchsorted(tagged.starts, span[1], side="left"))


def _with_digit(prepared: PreparedText) -> Bools:
    tagged = prepared.tagged
    words = zip(tagged.starts.tolist(), tagged.ends.tolist(), strict=True)
    found = (any(character.isdigit() for character in tagged.text[start:end]) for start, end in words)
    return np.fromiter(found, bool, len(tagged.starts))
