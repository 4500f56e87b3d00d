"""Ways to ask a language model which sentences of a text matter. Larger is kept first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from moosproxy.compressor.evaluation.teachers.language_model import Floats, LanguageModel, by_span
from moosproxy.compressor.kept import Span
from moosproxy.compressor.selection.relevance import bm25

Opinion = Callable[[LanguageModel, str, Sequence[Span]], Floats]
_SUM_UP = "\n\nIn short:"


def surprise(model: LanguageModel, text: str, spans: Sequence[Span]) -> Floats:
    """Mean surprise of a sentence's tokens: what the model could not have said itself (Li et al. 2023)."""
    losses, tokens = model.losses(text)
    return by_span(losses, tokens, spans) / np.maximum(by_span(np.ones(len(losses)), tokens, spans), 1)


def missed(model: LanguageModel, text: str, spans: Sequence[Span]) -> Floats:
    """How much less likely the rest becomes without the sentence before it."""
    losses, tokens = model.losses(text)
    out = []
    for start, end in spans:
        rest = text[end:]
        without = model.loss_of(text[:start].rstrip() or " ", rest) if rest.strip() else 0.0
        out.append(without - by_span(losses, tokens, [(end, len(text))])[0])
    return np.array(out)


def asked(model: LanguageModel, text: str, spans: Sequence[Span]) -> Floats:
    """How well a sentence fits the questions that the model asks about the text."""
    questions = model.questions(text)
    pieces = [text[start:end] for start, end in spans]
    return sum((bm25(question, pieces) for question in questions), np.zeros(len(spans)))


def attended(model: LanguageModel, text: str, spans: Sequence[Span]) -> Floats:
    """Attention, per token, of a beginning summary to the sentence."""
    weights, tokens = model.attention(text, _SUM_UP)
    return by_span(weights, tokens, spans) / np.maximum(by_span(np.ones(len(weights)), tokens, spans), 1)


def summed_up(model: LanguageModel, text: str, spans: Sequence[Span]) -> Floats:
    """How much likelier the whole text becomes behind this sentence alone: an extract by the model itself."""
    return np.array([-model.loss_of(text[start:end] + "\n\n", text) for start, end in spans])


OPINIONS: Mapping[str, Opinion] = {
    "surprise of its tokens": surprise,
    "what follows, without it": missed,
    "the whole text, behind it alone": summed_up,
    "questions of the model's own": asked,
    "attention of a summary": attended,
}
