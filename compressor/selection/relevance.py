"""Coarse relevance of passages and sentences to a question: lexical (BM25) and from the encoder itself.

Decides how one budget is shared between the passages of a long text, and helps the classifier where it is weak:
it has seen a question and its evidence in few languages, but a shared word is a shared word in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import regex

from moosproxy.compressor.text.patterns import Pattern

FloatArray = npt.NDArray[np.float64]

# Okapi BM25 with the usual constants.
_K1, _B = 1.2, 0.75
# Scripts that put no space between words: their terms are pairs of characters.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
_TERM = Pattern(rf"[{_UNSPACED}]+|[\w--[{_UNSPACED}]]+", regex.V1)
_PAIRED = Pattern(rf"[{_UNSPACED}]", regex.V1)
# Crude and language-blind: terms agree when their first letters do, which covers most inflection.
_STEM = 6


def bm25(question: str, passages: Sequence[str]) -> FloatArray:
    """BM25 of each passage, scaled so that the best is 1, shape (passages,); all 0 if nothing matches."""
    row = {term: number for number, term in enumerate(sorted(set(_terms(question))))}
    frequency = np.zeros((len(row), len(passages)), np.float32)
    lengths = np.ones(len(passages))
    for column, passage in enumerate(passages):
        terms = _terms(passage)
        lengths[column] = max(len(terms), 1)
        for term in terms:
            if term in row:
                frequency[row[term], column] += 1
    present = (frequency > 0).sum(axis=1, keepdims=True)
    weight = np.where(present > 0, np.log(1 + (len(passages) - present + 0.5) / (present + 0.5)), 0.0)
    damped = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1.0)) if len(passages) else lengths
    score = np.asarray((weight * frequency * (_K1 + 1) / (frequency + damped)).sum(axis=0), np.float64)
    best = score.max(initial=0.0)
    return score / best if best > 0 else score


def _terms(text: str) -> list[str]:
    found: list[str] = []
    for term in _TERM.findall(text.lower()):
        if _PAIRED.match(term):
            found += [term[at : at + 2] for at in range(len(term) - 1)] or [term]
        else:
            found.append(term[:_STEM])
    return found


# How much of a passage's weight is decided by each opinion; the rest is a floor that no passage falls below.
_LEARNED, _LEXICAL = 0.6, 0.3


def combine(lexical: FloatArray, learned: FloatArray) -> FloatArray:
    """Weight of each passage in (0, 1], from both opinions in [0, 1]. Shapes (passages,)."""
    return np.asarray(1 - _LEARNED - _LEXICAL + _LEARNED * learned + _LEXICAL * lexical, np.float64)


# What the lexical relevance of its sentence adds to a word's score: a share of the score, and a constant that
# grows as the text looks less like the English that the encoder knows. Tuned on held-out questions
# (docs/experiments.md).
_SENTENCE_SHARE = 0.5
_SENTENCE_ENGLISH, _SENTENCE_FOREIGN = 0.1, 0.7
# Words that make up an eighth of running English, and next to nothing of anything else.
_ENGLISH = frozenset(
    "the of and to is was that for with by are were from which this have has be been their its they".split()  # noqa: SIM905
)
_ENGLISH_SHARE = 0.12
_LANGUAGE_WORDS = 5000


def with_sentences(score: FloatArray, lexical: FloatArray, english: float) -> FloatArray:
    """Word scores, raised where the word's sentence shares terms with the question.

    score: shape (words,); lexical: of each word's sentence, in [0, 1], same shape; english: in [0, 1].
    """
    constant = _SENTENCE_FOREIGN + english * (_SENTENCE_ENGLISH - _SENTENCE_FOREIGN)
    return np.asarray(score * (1 + _SENTENCE_SHARE * lexical) + constant * lexical, np.float64)


def english(text: str, starts: Sequence[int], ends: Sequence[int]) -> float:
    """How English a text looks, in [0, 1], from its first words."""
    words = list(zip(starts[:_LANGUAGE_WORDS], ends[:_LANGUAGE_WORDS], strict=True))
    known = sum(text[start:end].lower() in _ENGLISH for start, end in words)
    return min(known / (max(len(words), 1) * _ENGLISH_SHARE), 1.0)
