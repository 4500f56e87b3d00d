"""`moos eval`, `moos bench compress` and `moos bench stages`. Importing this loads no model and needs no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import click

from moosproxy.compressor.commands.console import one_line
from moosproxy.compressor.commands.floor import floor_command
from moosproxy.compressor.commands.soft import evaluate_soft
from moosproxy.compressor.errors import CompressorError

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_OUT = Path("runs/eval")

_data = click.option(
    "--data", type=_FOLDER, default=None, help="Folder with train/ and eval/; default MOOS_DATA or ./data."
)
_checkpoint = click.option(
    "--checkpoint", type=_FOLDER, default=None, help="Checkpoint directory; default the bundled one."
)
_threads = click.option("--threads", type=click.IntRange(1), default=None, help="Threads; all by default.")
_one_line = one_line("train")


@click.group("eval")
def evaluate() -> None:
    """Measure what compression keeps, against floors, a ceiling and a rival."""


evaluate.add_command(evaluate_soft)
evaluate.add_command(floor_command)


@evaluate.command("run")
@_data
@_checkpoint
@click.option("--rival", type=_FOLDER, help="Checkpoint trained the LLMLingua-2 way; left out if not given.")
@click.option("--reader", type=_FOLDER, help="Trained reader (`moos eval train-reader`).")
@click.option("--model", help="Judge with this chat model instead of the reader.")
@click.option("--base-url", help="OpenAI-compatible API of --model, such as http://127.0.0.1:8080/v1.")
@click.option("--task", "names", multiple=True, help="Only these tasks. Repeatable.")
@click.option("--method", "methods", multiple=True, help="Only methods whose name starts so. Repeatable.")
@click.option("--ratio", "ratios", multiple=True, type=click.FloatRange(min=1, min_open=True), help="Repeatable.")
@click.option("--limit", type=click.IntRange(1), help="At most so many records or questions a task.")
@click.option("--out", type=_FOLDER, default=_OUT, show_default=True, help="Results and what was worked out.")
@click.option("--engine", default="auto", show_default=True, help="auto, onnxruntime, openvino or torch.")
@_threads
@_one_line
def run_command(
    data: Path | None,
    checkpoint: Path | None,
    rival: Path | None,
    reader: Path | None,
    model: str | None,
    base_url: str | None,
    names: tuple[str, ...],
    methods: tuple[str, ...],
    ratios: tuple[float, ...],
    limit: int | None,
    out: Path,
    engine: str,
    threads: int | None,
) -> None:
    """Run the tasks and write results.json. Whatever a former run worked out is not done again."""
    from moosproxy.compressor.evaluation import session

    if bool(model) != bool(base_url):
        raise CompressorError("--model and --base-url go together")
    session.evaluate(
        session.Choice(
            data=data,
            checkpoint=checkpoint,
            rival=rival,
            reader=reader,
            api=(model, base_url, os.environ.get("OPENAI_API_KEY")) if model and base_url else None,
            tasks=names,
            methods=methods,
            ratios=ratios,
            limit=limit,
            out=out,
            engine=engine,
            threads=threads,
        )
    )


@evaluate.command("report")
@click.option("--out", type=_FOLDER, default=_OUT, show_default=True, help="Where `moos eval run` wrote.")
@click.option("--docs", type=_FOLDER, default=Path("docs"), show_default=True, help="Gets results.md and plots/.")
@_one_line
def report_command(out: Path, docs: Path) -> None:
    """Write docs/results.md, its plots and docs/failures.md from what runs have left."""
    from moosproxy.compressor.evaluation.reporting import pages, plots
    from moosproxy.compressor.evaluation.reporting.results import Results

    results = Results.load(out / "results.json")
    names = plots.draw(results, docs / "plots")
    pages.write(results, names, docs)
    click.echo(f"{docs / 'results.md'} and {len(names)} plots")


@evaluate.command("compare")
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option("--measure", default="f1", show_default=True, help="f1, em, intact, recall and the like.")
@_one_line
def compare_command(before: Path, after: Path, measure: str) -> None:
    """Points of the full text's score that AFTER gains over BEFORE, two results.json, paired by text."""
    from moosproxy.compressor.evaluation.reporting import compare
    from moosproxy.compressor.evaluation.reporting.results import Results

    for task, method, ratio, gain in compare.differences(Results.load(before), Results.load(after), measure):
        click.echo(f"{task}  {method}  {ratio}  {gain:+.2f}")


@evaluate.command("train-reader")
@_data
@click.option("--out", type=_FOLDER, required=True, help="Where the reader is written.")
@click.option("--base", type=_FOLDER, help="Encoder to start from; default all-MiniLM-L6-v2.")
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", default=1.2, show_default=True, type=click.FloatRange(min=0, min_open=True))
@click.option(
    "--lowest-rate", default=0.2, show_default=True, type=click.FloatRange(0, 1), help="Smallest keep rate."
)
@_threads
@_one_line
def train_reader_command(**chosen: Any) -> None:
    """Train the extractive reader that judges compressed text. Goes on where it was interrupted."""
    from moosproxy.compressor.evaluation.judging import train_reader

    train_reader.from_options(**chosen)


@evaluate.command("json")
@_data
@click.option("--mode", type=click.Choice(["lossless", "prose", "rows"]), default="lossless", show_default=True)
@click.option("--ratio", default=2.0, show_default=True, type=click.FloatRange(min=1, min_open=True))
@click.option("--tokenizer", default="o200k_base", show_default=True, help="Counts tokens.")
@click.option("--limit", type=click.IntRange(1), help="At most so many records a set.")
@_one_line
def json_command(
    data: Path | None, mode: Literal["lossless", "prose", "rows"], ratio: float, tokenizer: str, limit: int | None
) -> None:
    """Tokens saved of tool lists and tool results, and whether what is left parses and says the same."""
    from moosproxy.compressor import records
    from moosproxy.compressor.evaluation import json_savings

    for name, found in json_savings.measure(records.data_directory(data), mode, ratio, tokenizer, limit):
        click.echo(
            f"{name}: {found.texts} texts, {found.pooled:.3f} pooled, {found.mean:.3f} mean, "
            f"{found.valid:.1%} valid, {found.equal:.1%} equal"
        )


@evaluate.command("outliers")
@_data
@click.option("--checkpoint", "checkpoints", multiple=True, type=_FOLDER, help="One per beta. Repeatable.")
@click.option("--limit", type=click.IntRange(1), help="At most so many texts.")
@click.option("--out", type=_FILE, help="Write the table here as Markdown; default standard output.")
@_threads
@_one_line
def outliers_command(
    data: Path | None, checkpoints: tuple[Path, ...], limit: int | None, out: Path | None, threads: int | None
) -> None:
    """Ablate alpha, the reading of the outlier score and beta, on planted critical words and on questions."""
    from moosproxy.compressor.evaluation import outlier_ablation

    table = outlier_ablation.ablate(data, checkpoints, limit, threads)
    if out:
        out.write_text(table, encoding="utf-8")
    else:
        click.echo(table)


@evaluate.command("teachers")
@_data
@_checkpoint
@click.option("--model", type=_FILE, required=True, help="GGUF file of a small language model.")
@click.option("--limit", default=150, show_default=True, type=click.IntRange(1), help="Texts.")
@click.option("--out", type=_FOLDER, default=_OUT, show_default=True, help="What the model said of each text.")
@_threads
@_one_line
def teachers_command(
    data: Path | None, checkpoint: Path | None, model: Path, limit: int, out: Path, threads: int | None
) -> None:
    """Let a language model pick sentences in five ways: would it teach better than today's labels?

    Whatever it said in a former run is not asked again.
    """
    from moosproxy.compressor import records
    from moosproxy.compressor.evaluation.teachers.study import study

    study(model, records.data_directory(data), checkpoint, limit, out, threads, click.echo)


@evaluate.command("logs")
@_data
@_checkpoint
@click.option("--ratio", default=3.0, show_default=True, type=click.FloatRange(min=1, min_open=True))
@click.option("--tokenizer", default="o200k_base", show_default=True, help="Whose tokens the ratio counts.")
@click.option("--limit", type=click.IntRange(1), help="At most so many logs.")
@_threads
@_one_line
def logs_command(**chosen: Any) -> None:
    """Count which lines of rare events stay whole in system logs, with the settings of the default policy."""
    from moosproxy.compressor.evaluation import log_events

    click.echo(log_events.measure(**chosen).table())


@click.command("compress")
@_checkpoint
@click.option("--lengths", default="1000,10000,100000,1000000", show_default=True, help="Pieces, comma-separated.")
@click.option("--ratio", default=3.0, show_default=True, type=click.FloatRange(min=1, min_open=True))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Alternating rounds.")
@click.option("--text", type=_FILE, help="Text to repeat to length; default words of the tokenizer's vocabulary.")
@click.option("--peer/--no-peer", default=True, show_default=True, help="Run the llmlingua package beside.")
@click.option("--against", metavar="REF", help="Run an earlier state of this clone beside, such as HEAD~1.")
@click.option("--engine", default="auto", show_default=True, help="auto, onnxruntime, openvino or torch.")
@_threads
@_one_line
def bench_compress(
    checkpoint: Path | None,
    lengths: str,
    ratio: float,
    rounds: int,
    text: Path | None,
    peer: bool,
    against: str | None,
    engine: str,
    threads: int | None,
) -> None:
    """Tokens per second, latency by length, memory and cold start, beside llmlingua in the same run."""
    from moosproxy.compressor.evaluation.speed import bench

    try:
        sizes = [int(length) for length in lengths.split(",")]
    except ValueError:
        raise CompressorError(f"--lengths takes whole numbers, got {lengths!r}") from None
    bench.bench(bench.Choice(checkpoint, sizes, ratio, rounds, text, peer, engine, threads, against))


@click.command("stages")
@_checkpoint
@click.option("--tokens", default=10_000, show_default=True, type=click.IntRange(1), help="Pieces of each text.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind of text. Repeatable.")
@click.option("--ratio", default=3.0, show_default=True, type=click.FloatRange(min=1, min_open=True))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="The fastest counts.")
@click.option("--encoder/--no-encoder", default=None, help="Run the encoder; default up to 100,000 pieces.")
@_one_line
def bench_stages(
    checkpoint: Path | None, tokens: int, kinds: tuple[str, ...], ratio: float, rounds: int, encoder: bool | None
) -> None:
    """Processor time of every stage of compression, by kind of text."""
    from moosproxy.compressor.compressor import Compressor
    from moosproxy.compressor.evaluation.speed import kind_texts, stages

    if unknown := set(kinds) - set(kind_texts.NAMES):
        raise CompressorError(f"unknown kind {min(unknown)!r}; take one of {', '.join(kind_texts.NAMES)}")
    encoder = tokens <= 100_000 if encoder is None else encoder
    with Compressor.load(checkpoint, threads=1) as compressor:
        stages.bench(compressor, kinds or kind_texts.NAMES, tokens, ratio, rounds, encoder=encoder)
