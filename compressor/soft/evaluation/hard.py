"""Hard compression in the same harness: the bundled compressor shortens the text, the model reads what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.soft.evaluation.answering import Asked
from moosproxy.compressor.soft.evaluation.evaluate import HARD, Bench, Cell


def measure(bench: Bench, part: str, ratio: int, compressor: Compressor) -> Cell:
    """Nothing is protected and the question is known: the kindest setting. Words are left out without marks.

    Whole sentences and marks for what is missing, the compressor's default, cannot reach 15x on a hundred tokens.
    The selection aims at the ratio in pieces of its own tokenizer; the realised one is in tokens of the model.
    """
    shortened = [_shortened(bench, each, ratio, compressor) for each in bench.questions[part]]
    cell = replace_questions(bench, part, shortened).measure(part, HARD, ratio, 0, lambda contexts: [contexts])
    before = sum(len(each.context) for each in bench.questions[part])
    return replace(cell, realised=before / sum(len(each.context) for each in shortened))


def replace_questions(bench: Bench, part: str, asked: Sequence[Asked]) -> Bench:
    """The same model, other contexts."""
    return replace(bench, questions={part: list(asked)})


def _shortened(bench: Bench, each: Asked, ratio: int, compressor: Compressor) -> Asked:
    text, question = bench.tokenizer.decode(each.context), bench.tokenizer.decode(each.question)
    question = question.removeprefix("\nQ:").strip()
    settings = CompressionSettings(ratio=ratio, protect=frozenset(), question=question, unit="word", marks=False)
    kept = compressor.compress(text, settings).text.strip()
    ids = bench.tokenizer.encode(" " + kept, add_special_tokens=False)
    return replace(each, context=tuple(ids))
