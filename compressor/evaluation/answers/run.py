"""Asks block by block, every set in turn, until all is asked or the time is up. No answer is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from rich.progress import Progress

from moosproxy.compressor.evaluation.answers.base import Answerer, Prompt, Question, QuestionSet, Reply, prompt
from moosproxy.compressor.evaluation.answers.conditions import FULL, NOTHING, Fitter
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.methods import Method


@dataclass(frozen=True)
class Case:
    """A question in one condition. ratio: meant. before, after: tokens of the text, in the model's own."""

    question: Question
    method: str
    ratio: float
    before: int
    after: int
    sent: str | None
    prompt: Prompt


@dataclass(frozen=True)
class Answered:
    """A case and what came of it."""

    case: Case
    reply: Reply
    scores: dict[str, float]


@dataclass
class SetResult:
    """What one set came to. left: blocks that were not asked in full; refused: prompts the model cannot take."""

    about: QuestionSet
    answered: list[Answered] = field(default_factory=list)
    blocks: int = 0
    left: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Plan:
    """What is to be asked. minutes: of asking; None for as long as it takes, 0 to report what is there."""

    data: Path
    sets: Sequence[QuestionSet]
    methods: Sequence[Method]
    ratios: Sequence[float] | None
    quick: bool
    limit: int | None
    minutes: float | None


class Asking:
    """One run over all sets."""

    def __init__(self, plan: Plan, answerer: Answerer, folder: Path, progress: Progress) -> None:
        self._plan, self._answerer, self._folder, self._progress = plan, answerer, folder, progress
        self._fitter = Fitter(answerer.count)
        self._ends = None if plan.minutes is None else time.monotonic() + 60 * plan.minutes

    def run(self) -> list[SetResult]:
        """Block after block, each set in turn. Raises CompressorError where the model is gone."""
        open_sets = [(one, iter(self._blocks(one)), SetResult(one)) for one in self._plan.sets]
        results = [result for _, _, result in open_sets]
        while open_sets:
            rest = []
            for one, blocks, result in open_sets:
                block = next(blocks, None)
                if block is not None:
                    self._block(one, block, result)
                    rest.append((one, blocks, result))
            open_sets = rest
        return results

    def _blocks(self, one: QuestionSet) -> Iterator[list[Question]]:
        size = one.quick if self._plan.quick else one.size
        size = min(size, self._plan.limit or size)
        questions = one.load(self._plan.data, size) if size else []
        for _, block in groupby(questions, key=lambda question: question.block):
            yield list(block)

    def _block(self, one: QuestionSet, questions: list[Question], result: SetResult) -> None:
        result.blocks += 1
        with Lines(self._folder, self._answerer, one.name) as lines:
            cases = [case for question in questions for case in self._cases(one, question)]
            if self._asked(one, [case.prompt for case in cases], lines, result) and self._asked(
                one, [prompt for case in cases for prompt in _behind(case, lines)], lines, result
            ):
                self._collect(one, cases, lines, result)

    def _asked(self, one: QuestionSet, prompts: list[Prompt], lines: Lines, result: SetResult) -> bool:
        """Asks what was not asked yet; False where the time is up."""
        missing = [each for each in dict.fromkeys(prompts) if lines.get(each) is None]
        if missing and self._ends is not None and time.monotonic() >= self._ends:
            result.left += 1
            return False
        result.refused += self._ask(one, missing, lines)
        return True

    def _cases(self, one: QuestionSet, question: Question) -> Iterator[Case]:
        whole = self._answerer.count(question.text)
        yield Case(question, FULL, 1.0, whole, whole, question.text, prompt(question, question.text))
        yield Case(question, NOTHING, 0.0, whole, 0, None, prompt(question, None))
        for method in self._plan.methods:
            if method.aware and question.question is None:
                continue
            for ratio in self._plan.ratios or one.ratios:
                fitted = self._fitter.fit(method, question.text, question.question, ratio)
                sent = prompt(question, fitted.text)
                yield Case(question, method.name, ratio, fitted.before, fitted.tokens, fitted.text, sent)

    def _ask(self, one: QuestionSet, prompts: list[Prompt], lines: Lines) -> int:
        """How many the model cannot take."""
        refused = 0
        bar = self._progress.add_task(f"{one.name}: {self._answerer.name}", total=len(prompts))

        def done(index: int, reply: Reply | None) -> None:
            nonlocal refused
            if reply is None:
                refused += 1
            else:
                lines.put(prompts[index], reply)
            self._progress.advance(bar)

        try:
            self._answerer.answers(prompts, done)
        finally:
            self._progress.remove_task(bar)
        return refused

    def _collect(self, one: QuestionSet, cases: list[Case], lines: Lines, result: SetResult) -> None:
        """A question counts only where every one of its cases was answered."""
        every = [pair for case in cases for pair in _scored(case, lines)]
        every.sort(key=lambda pair: pair[0].question.id)
        for _, mine in groupby(every, key=lambda pair: pair[0].question.id):
            pairs = list(mine)
            found = [(case, reply) for case, reply in pairs if reply is not None]
            if len(found) == len(pairs):
                result.answered += [
                    Answered(case, reply, one.score(reply.answer, case.question)) for case, reply in found
                ]


def _behind(case: Case, lines: Lines) -> list[Prompt]:
    """What is asked about the case's own answer, once that is there."""
    reply = lines.get(case.prompt)
    return [prompt(each, reply.answer) for each in case.question.behind] if reply else []


def _scored(case: Case, lines: Lines) -> list[tuple[Case, Reply | None]]:
    """The case and its reply; or those of the questions behind it, at the cost of the text that was read first."""
    reply = lines.get(case.prompt)
    if not case.question.behind:
        return [(case, reply)]
    if reply is None:
        return [(replace(case, question=each), None) for each in case.question.behind]
    asked = [
        (replace(case, question=each, sent=reply.answer), lines.get(prompt(each, reply.answer)))
        for each in case.question.behind
    ]
    return [(each, last and replace(last, tokens=reply.tokens, seconds=reply.seconds)) for each, last in asked]
