"""One run from its options: loads what is asked for, asks, writes what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from moosproxy.compressor import records
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation import slim
from moosproxy.compressor.evaluation.answers import outcome, sets
from moosproxy.compressor.evaluation.answers.base import Answerer, QuestionSet
from moosproxy.compressor.evaluation.answers.conditions import chosen
from moosproxy.compressor.evaluation.answers.lines import slug
from moosproxy.compressor.evaluation.answers.run import Asking, Plan, SetResult
from moosproxy.compressor.evaluation.commit import commit
from moosproxy.compressor.evaluation.progress import bars

QUICK = ("BM25 sentences", "moosproxy, question-aware", "moosproxy, task-agnostic")
"""Methods of a quick run."""
QUICK_MINUTES = 20.0


@dataclass(frozen=True)
class Choice:
    """The options of `moos eval answers`; None or empty means the default."""

    data: Path | None
    checkpoint: Path | None
    rival: Path | None
    plain: Path | None
    sets: tuple[str, ...]
    methods: tuple[str, ...]
    ratios: tuple[float, ...]
    limit: int | None
    minutes: float | None
    quick: bool
    out: Path
    threads: int | None


def ask(choice: Choice, answerer: Answerer) -> None:
    """Asks what was not asked yet and writes results.json and failures.json. Raises CompressorError."""
    data = records.data_directory(choice.data)
    compressor = Compressor.load(choice.checkpoint, threads=choice.threads)
    rival, plain = (
        Compressor.load(path, threads=choice.threads) if path else None for path in (choice.rival, choice.plain)
    )
    names = choice.methods or (QUICK if choice.quick else ())
    methods = chosen(data, compressor, rival, plain, names)
    if not methods:
        raise CompressorError(f"no method is named like {', '.join(names)}")
    minutes = QUICK_MINUTES if choice.quick and choice.minutes is None else choice.minutes
    ratios = choice.ratios or ((3.0,) if choice.quick else None)
    plan = Plan(data, _sets(choice.sets), methods, ratios, choice.quick, choice.limit, minutes)
    with bars() as progress:
        found = Asking(plan, answerer, choice.out, progress).run()
    facts = {
        "model": answerer.name,
        "checkpoint": compressor.fingerprint,
        "rival": rival.fingerprint if rival else None,
        "llmslim": slim.installed(),
        "quick": choice.quick,
        "commit": commit(),
    }
    folder = choice.out / slug(answerer.name)
    outcome.save(folder, outcome.results_of(found, facts), outcome.failures(found))
    _tell(found, folder)


def _sets(names: Sequence[str]) -> list[QuestionSet]:
    known = sets.every()
    if unknown := sorted(set(names) - known.keys()):
        raise CompressorError(f"unknown set {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in names or known]


def _tell(found: Sequence[SetResult], folder: Path) -> None:
    for one in found:
        if one.blocks:
            asked = len({answered.case.question.id for answered in one.answered})
            left = f"; {one.left} of {one.blocks} blocks were not asked: run again to go on" if one.left else ""
            refused = f"; {one.refused} prompts do not fit into the model's window" if one.refused else ""
            click.echo(f"{one.about.name}: {asked} questions in every condition{left}{refused}")
    click.echo(f"{folder / 'results.json'}; `moos eval report` writes the tables")
