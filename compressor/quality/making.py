"""Shortens samples at every ratio and sees what is left of their answers, by rule or by a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from moosproxy.compressor.calibration import GRID, Calibration
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer, Prompt, Question, Reply, prompt
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.answers.same import same
from moosproxy.compressor.quality.curves import LEAST, Observed, curve
from moosproxy.compressor.quality.samples import Sample
from moosproxy.compressor.selection import floor
from moosproxy.compressor.selection.finish import selection_of
from moosproxy.compressor.settings import CompressionSettings

Step = Callable[[], None]


@dataclass(frozen=True)
class Shortened:
    """A sample at every ratio of GRID. levels, texts: shape (ratios,)."""

    sample: Sample
    group: str
    levels: tuple[float, ...]
    texts: tuple[str, ...]


def shorten(compressor: Compressor, samples: Iterable[Sample], step: Step) -> Iterator[Shortened]:
    """Every sample that has units to choose from. step: called after each."""
    for sample in samples:
        settings = CompressionSettings(ratio=GRID[-1], question=sample.question or "off")
        plan = compressor.plan(sample.text, settings)
        if plan.pieces:
            selection = selection_of(plan, compressor.score(plan.windows))
            outcomes = [selection.at(ratio) for ratio in GRID]
            levels = tuple(floor.level(plan, selection, outcome) for outcome in outcomes)
            texts = tuple(outcome.text for outcome in outcomes)
            yield Shortened(sample, floor.group_of(plan, selection), levels, texts)
        step()


def by_rule(one: Shortened) -> Observed | None:
    """What a shorter text still holds of what the whole text holds; None where the rule finds nothing there."""
    sample = one.sample
    answers = sample.kept(sample.text)
    kept = [sample.kept(text) for text in one.texts]
    return Observed(one.group, sample.cluster, one.levels, kept, answers, sample.source) if answers else None


def by_judge(several: Sequence[Shortened], judge: Answerer, lines: Lines, step: Step) -> list[Observed]:
    """What a model still answers, of what it answers right from the whole text. Raises CompressorError."""
    asked = [one for one in several if one.sample.ask]
    prompts = [[_prompt(one.sample, text) for text in (one.sample.text, *one.texts)] for one in asked]
    _ask(judge, [one for mine in prompts for one in mine], lines, step)
    found = []
    for one, mine in zip(asked, prompts, strict=True):
        replies = [lines.get(each) for each in mine]
        if replies[0] is None:  # the whole text is too long for the judge
            continue
        sample = one.sample
        golds = sample.golds or (replies[0].answer,)
        right = [reply is not None and same(reply.answer, golds) for reply in replies]
        if right[0]:
            found.append(
                Observed(one.group, sample.cluster, one.levels, list(map(float, right[1:])), 1.0, sample.source)
            )
    return found


def _prompt(sample: Sample, text: str) -> Prompt:
    ask = f"Question: {sample.ask}\nAnswer:"
    return prompt(Question(sample.cluster, 0, sample.cluster, text, sample.question, ask, sample.golds), text)


def _ask(judge: Answerer, prompts: Sequence[Prompt], lines: Lines, step: Step) -> None:
    missing = [one for one in dict.fromkeys(prompts) if lines.get(one) is None]

    def done(index: int, reply: Reply | None) -> None:
        if reply is not None:
            lines.put(missing[index], reply)
        step()

    judge.answers(missing, done)


def calibration(observed: Iterable[Observed], checkpoint: str, facts: Mapping[str, Any]) -> Calibration:
    """Curves of all groups with enough records; of others the interval would allow no ratio.

    Raises CompressorError where no group has enough.
    """
    rows = sorted(observed, key=lambda one: one.group)
    groups = {name: list(mine) for name, mine in groupby(rows, key=lambda one: one.group)}
    enough = {name: mine for name, mine in groups.items() if len({one.cluster for one in mine}) >= LEAST}
    if not enough:
        most = max((len({one.cluster for one in mine}) for mine in groups.values()), default=0)
        raise CompressorError(f"too little to calibrate by: {most} texts of one group, {LEAST} are needed")
    return Calibration(checkpoint, {name: curve(mine) for name, mine in enough.items()}, dict(facts))
