"""`moos calibrate` from its options: samples, what is left of them, and the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from moosproxy.compressor import records
from moosproxy.compressor.calibration import GRID, Calibration
from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.mine import own
from moosproxy.compressor.evaluation.mine.own import OwnText
from moosproxy.compressor.evaluation.progress import bars
from moosproxy.compressor.quality import making, samples
from moosproxy.compressor.quality.samples import Sample

BY_RULE = "a right answer stands unbroken in what is sent"
TOLD = (0.90, 0.95, 0.98)


@dataclass(frozen=True)
class Choice:
    """The options of `moos calibrate`; None means the default. replies: folder that keeps what the judge said."""

    data: Path | None
    texts: Path | None
    checkpoint: Path | None
    out: Path
    limit: int | None
    replies: Path | None
    threads: int | None


def calibrate(choice: Choice, judge: Answerer | None) -> Calibration:
    """Makes and writes a calibration. Raises CompressorError."""
    with bars() as progress, TemporaryDirectory() as scratch:
        bar = progress.add_task("calibrate", total=None)
        lines = Lines(choice.replies or Path(scratch), judge, "calibrate") if judge else None

        def step() -> None:
            progress.advance(bar)

        if choice.texts:
            found, source = list(_own(choice, judge, lines)), "own texts"
        else:
            found, source = list(_training(choice)), "held-out training data"
        with Compressor.load(choice.checkpoint, threads=choice.threads) as compressor:
            several: Iterable[making.Shortened] = making.shorten(compressor, found, step)
            if judge and lines:
                with lines:
                    observed = making.by_judge(list(several), judge, lines, step)
            else:
                observed = [seen for one in several if (seen := making.by_rule(one))]
            measure = f"answers of {judge.name}" if judge else BY_RULE
            made = making.calibration(observed, compressor.fingerprint, {"kept": measure, "from": source})
    made.save(choice.out)
    _tell(made, choice.out)
    return made


def _training(choice: Choice) -> Iterator[Sample]:
    return samples.from_training(records.data_directory(choice.data), choice.limit)


def _own(choice: Choice, judge: Answerer | None, lines: Lines | None) -> Iterator[Sample]:
    """Each question twice: the compressor is told it, and it is not."""
    assert choice.texts is not None
    texts: Sequence[OwnText] = own.read(choice.texts, choice.limit)
    if judge and lines:
        texts = own.with_questions(texts, judge, lines, lambda: None)
    for one in texts:
        if one.question is None or (one.answer is None and judge is None):
            raise CompressorError(
                f"{one.name} of {choice.texts} has no {'question' if one.question is None else 'answer'}; "
                "give it, or name a judge that makes it: --judge-model FILE.gguf, or --base-url URL --model NAME"
            )
        golds = (one.answer,) if one.answer else ()
        for question in (one.question, None):
            yield samples.asking(one.name, one.text, question, golds, ask=one.question)


def _tell(made: Calibration, out: Path) -> None:
    """The lowest level at which each floor is met tells little; whether it can be met at all tells enough."""
    for name, one in sorted(made.groups.items()):
        best = one.kept[-1] if one.kept else 0.0
        met = [f"{floor:g}" for floor in TOLD if best >= floor]
        click.echo(f"{name}: {one.texts} records, {one.answers} answers; floors met: {', '.join(met) or 'none'}")
    click.echo(f"{out}; ratios {', '.join(f'{ratio:g}' for ratio in GRID)}")
