"""Questions for a language model, what it is sent, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Scores = dict[str, float]

SHORT = "Answer in as few words as possible, copied from the text where you can."


@dataclass(frozen=True)
class Question:
    """One thing to be asked about one text.

    block: questions that are asked and reported together or not at all. group: the record it comes from, the unit
    of the bootstrap. text: what is shortened. question: what the question-aware mode gets, None for none.
    order: what the model is told to do, before the text. ask: what stands behind the text. golds: right answers.
    tokens: the most of an answer. line: whether the answer ends with its first line. behind: what is asked about
    the answer itself, such as a summary; then these are scored, and their own texts are not used.
    """

    id: str
    block: int
    group: str
    text: str
    question: str | None
    ask: str
    golds: tuple[str, ...]
    order: str = SHORT
    tokens: int = 24
    line: bool = True
    behind: tuple[Question, ...] = ()


@dataclass(frozen=True)
class QuestionSet:
    """A file of questions.

    what: one line for tables. load: of the data folder and at most so many questions, in blocks of `block`.
    score: named scores of an answer, each in [0, 1]. headline: the one that summary tables show.
    size: questions of a full run; quick: of a quick one.
    """

    name: str
    what: str
    load: Callable[[Path, int], list[Question]]
    score: Callable[[str, Question], Scores]
    headline: str
    size: int
    quick: int
    ratios: tuple[float, ...] = (2.0, 3.0, 4.0)


@dataclass(frozen=True)
class Prompt:
    """One request: two messages, greedy. line: the answer ends with its first line."""

    system: str
    user: str
    tokens: int
    line: bool


@dataclass(frozen=True)
class Reply:
    """What came back. tokens: of the prompt, in the model's own. seconds: its share of the time."""

    answer: str
    tokens: int
    seconds: float
    end: str = "stop"


class Answerer(Protocol):
    """A model. version: everything that decides its answers besides the prompt; part of every key."""

    name: str
    version: str
    tokenizer: str

    def count(self, text: str) -> int:
        """Tokens of the text alone, in the model's own vocabulary where that is known."""

    def answers(self, prompts: Sequence[Prompt], done: Callable[[int, Reply | None], None]) -> None:
        """Calls `done` with the index of a prompt and its reply as they come, None for one that cannot be sent.

        Raises CompressorError where the model is gone; what was done by then is done.
        """


def prompt(question: Question, text: str | None) -> Prompt:
    """text: None for a question about nothing at all."""
    user = question.ask if text is None else f"{text}\n\n{question.ask}"
    return Prompt(question.order, user, question.tokens, question.line)
