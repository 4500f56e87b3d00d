"""`moos eval mine` from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.mine import compare, own, page
from moosproxy.compressor.evaluation.progress import bars
from moosproxy.compressor.settings import CompressionSettings

RATIO, MOST = 2.0, 10.0


@dataclass(frozen=True)
class Choice:
    """The options of `moos eval mine`; None means the default. replies: folder that keeps what the model said."""

    texts: Path
    ratio: float | None
    quality: float | None
    calibration: Path | None
    told: bool
    price: float | None
    checkpoint: Path | None
    limit: int | None
    out: Path
    replies: Path | None
    threads: int | None


def run(choice: Choice, judge: Answerer) -> compare.Summary:
    """Asks, writes the page and tells. Raises CompressorError."""
    texts = own.read(choice.texts, choice.limit)
    usual = RATIO if choice.quality is None else MOST
    settings = CompressionSettings(ratio=choice.ratio or usual, quality=choice.quality)
    with (
        bars() as progress,
        TemporaryDirectory() as scratch,
        Lines(choice.replies or Path(scratch), judge, "mine") as lines,
        Compressor.load(choice.checkpoint, threads=choice.threads, calibration=choice.calibration) as compressor,
    ):
        bar = progress.add_task(judge.name, total=None)

        def step() -> None:
            progress.advance(bar)

        asked = own.with_questions(texts, judge, lines, step)
        summary = compare.compare(
            asked, compressor, settings, judge, lines, told=choice.told, price=choice.price, step=step
        )
    try:
        choice.out.write_text(page.page(summary), encoding="utf-8")
    except OSError as fault:
        raise CompressorError(f"{choice.out} cannot be written: {fault.strerror}") from None
    for line in summary.lines():
        click.echo(line)
    click.echo(f"{choice.out} shows the {len(summary.worst)} worst differences")
    return summary
