"""Batches from annotated questions on real text: paragraphs one after the other, as far as a context reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.records import Record, held_out, read
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.training.batches import IGNORED, Batch, batch_of
from moosproxy.compressor.soft.training.exchange import Exchange

SUFFIX = ".jsonl.gz"
_SHARE, _SEED = 0.1, 0
_ENOUGH, _FEW = 200, 8


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its answer. end: index of the first character of its paragraph behind the answer."""

    question: str
    answer: str
    end: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text and the questions it answers."""

    text: str
    questions: tuple[Question, ...]


def paragraphs(data: Path, *, held: bool) -> list[Paragraph]:
    """Those of qa_spans.jsonl.gz; `held` takes the titles that training leaves out. Raises SoftError."""
    records = _records(data, "qa_spans")
    return [_paragraph(record) for record in records if held_out(record, _SHARE, _SEED) == held]


def other_paragraphs(file: Path) -> list[Paragraph]:
    """All of another file of that form, such as squad_dev.jsonl.gz. Raises SoftError."""
    return [_paragraph(record) for record in _records(file.parent, file.name.removesuffix(SUFFIX))]


def _records(data: Path, name: str) -> list[Record]:
    try:
        return list(read(data, name))
    except CompressorError as fault:
        raise SoftError(str(fault)) from None


def _paragraph(record: Record) -> Paragraph:
    questions = [
        Question(each["question"].strip(), answer["text"], answer["start"] + len(answer["text"]))
        for each in record["qas"]
        for answer in each["answers"][:1]
    ]
    return Paragraph(record["context"], tuple(questions))


class TextSource:
    """The same form as batches about the invented world: contexts of one length, questions one after the other."""

    def __init__(self, tokenizer: Any, texts: Sequence[Paragraph]) -> None:
        self._tokenizer = tokenizer
        self._texts = texts
        self._exchange = Exchange.of(tokenizer)

    def questions(self, size: int, length: int, asked: int, rng: Random) -> Batch:
        rows = [self._asked(length, asked, rng) for _ in range(size)]
        contexts, tails, labels, chosen = zip(*rows, strict=True)
        batch = batch_of(self._tokenizer, list(contexts), list(tails), list(labels))
        if asked == 1:
            said, words = (tuple(getattr(each[0], name) for each in chosen) for name in ("answer", "question"))
            batch = replace(batch, references=said, asked=words)
        before = self._exchange.before
        return replace(batch, before=torch.tensor([before])) if before else batch

    def continuation(self, size: int, length: int, rng: Random) -> Batch:
        rows = [self._joined(length + length // 2, rng)[0] for _ in range(size)]
        tails = [row[length:] for row in rows]
        return batch_of(self._tokenizer, [row[:length] for row in rows], tails, tails)

    def _asked(
        self, length: int, asked: int, rng: Random
    ) -> tuple[list[int], list[int], list[int], list[Question]]:
        context, known = self._full(length, asked, rng)
        tail: list[int] = []
        labels: list[int] = []
        chosen = rng.sample(known, min(asked, len(known)))
        for each in chosen:
            question = self._exchange.ask(each.question, first=not tail)
            answer = self._exchange.answer(each.answer)
            tail += question + answer
            labels += [IGNORED] * len(question) + answer
        return context, tail, labels, chosen

    def _full(self, length: int, asked: int, rng: Random) -> tuple[list[int], list[Question]]:
        """A context with as many questions, else the best of a few: tails of a batch that differ are padded."""
        best: tuple[list[int], list[Question]] = [], []
        for drawn in range(_ENOUGH):
            context, known = self._joined(length, rng)
            if len(known) > len(best[1]):
                best = context, known
            if len(best[1]) >= asked or (best[1] and drawn >= _FEW):
                return best
        raise SoftError(f"no question is answered within {length} tokens of this text")

    def _joined(self, length: int, rng: Random) -> tuple[list[int], list[Question]]:
        """`length` tokens of random paragraphs, and the questions whose answers are among them."""
        ids: list[int] = []
        known: list[Question] = []
        while len(ids) < length:
            text = rng.choice(self._texts)
            room = length - len(ids)
            coded = self._tokenizer(text.text + "\n", add_special_tokens=False, return_offsets_mapping=True)
            reach = coded["offset_mapping"][:room][-1][1]
            known += [each for each in text.questions if each.end <= reach]
            ids += coded["input_ids"][:room]
        return ids, known
