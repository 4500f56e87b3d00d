"""Hard compression in the same harness: the bundled compressor shortens the text, the model reads what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import process_time

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.soft.evaluation.answering import Asked
from moosproxy.compressor.soft.evaluation.evaluate import HARD, Bench, Cell


def measure(bench: Bench, part: str, ratio: int, compressor: Compressor, method: str = HARD) -> Cell:
    """Nothing is protected. HARD knows the question, the kindest setting; BLIND does not.

    Words are left out without marks: whole sentences and marks for what is missing, the compressor's default,
    cannot reach 15x on a hundred tokens. The selection aims at the ratio in pieces of its own tokenizer; the
    realised one is in tokens of the model. Where first tokens are timed, shortening the text is part of it, in CPU
    seconds of all its threads.
    """
    given = bench.questions[part]
    shortened, seconds = [], []
    for each in given:
        began = process_time()
        shortened.append(_shortened(bench, each, ratio, compressor, known=method == HARD))
        seconds.append(process_time() - began)
    cell = replace_questions(bench, part, shortened).measure(part, method, ratio, 0, lambda contexts: [contexts])
    before, after = (sum(len(each.context) for each in run) for run in (given, shortened))
    timed = [round(spent + first, 4) for spent, first in zip(seconds, cell.seconds, strict=False)]
    return replace(cell, realised=before / after, seconds=timed)


def replace_questions(bench: Bench, part: str, asked: Sequence[Asked]) -> Bench:
    """The same model, other contexts."""
    return replace(bench, questions={part: list(asked)})


def _shortened(bench: Bench, each: Asked, ratio: int, compressor: Compressor, *, known: bool) -> Asked:
    text, question = bench.tokenizer.decode(each.context), each.words
    if not question:
        question = bench.tokenizer.decode(each.question).removeprefix("\nQ:").strip()
    settings = CompressionSettings(
        ratio=ratio, protect=frozenset(), question=question if known else "off", unit="word", marks=False
    )
    kept = compressor.compress(text, settings).text.strip()
    # Behind a template's head a text begins a line.
    ids = bench.tokenizer.encode(kept if each.before else " " + kept, add_special_tokens=False)
    return replace(each, context=tuple(ids))
