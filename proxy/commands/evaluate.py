"""`moos eval` with the commands that need a model of this machine beside those of the compressor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from moosproxy.compressor.commands.console import one_line
from moosproxy.compressor.commands.evaluate import evaluate
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers.base import Answerer
from moosproxy.proxy.commands.judges import behind_an_api

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

evaluate_all = evaluate


@evaluate.command("answers")
@click.option("--model", required=True, help="A GGUF file, or with --base-url the name of a model there.")
@click.option("--base-url", help="OpenAI-compatible API, such as http://127.0.0.1:8080/v1.")
@click.option(
    "--tokenizer", default="o200k_base", show_default=True, help="Counts tokens of a model behind an API."
)
@click.option(
    "--window", default=8192, show_default=True, type=click.IntRange(512), help="Tokens, for a GGUF file."
)
@click.option("--data", type=_FOLDER, help="Folder with train/ and eval/; default MOOS_DATA or ./data.")
@click.option("--checkpoint", type=_FOLDER, help="Checkpoint directory; default the bundled one.")
@click.option("--rival", type=_FOLDER, help="Checkpoint trained the LLMLingua-2 way; left out if not given.")
@click.option("--plain", type=_FOLDER, help="Checkpoint trained with --beta 0, for the ablation.")
@click.option("--set", "sets", multiple=True, help="Only this set of questions. Repeatable.")
@click.option("--method", "methods", multiple=True, help="Only methods whose name starts so. Repeatable.")
@click.option("--ratio", "ratios", multiple=True, type=click.FloatRange(min=1, min_open=True), help="Repeatable.")
@click.option("--limit", type=click.IntRange(1), help="At most so many questions a set.")
@click.option("--minutes", type=click.FloatRange(min=0), help="Begin no block after that; 0 only reports.")
@click.option("--quick", is_flag=True, help="Few questions, few methods, 3x, at most twenty minutes.")
@click.option("--out", type=_FOLDER, default=Path("docs/answers"), show_default=True, help="Replies and results.")
@click.option("--threads", type=click.IntRange(1), help="Threads; all by default.")
@one_line("local")
def answers_command(
    model: str, base_url: str | None, tokenizer: str, window: int, threads: int | None, **chosen: Any
) -> None:
    """Let a language model answer from full and shortened texts. Goes on where a former run stopped."""
    from moosproxy.compressor.evaluation.answers import session

    session.ask(session.Choice(threads=threads, **chosen), answerer(model, base_url, tokenizer, window, threads))


@evaluate.command("mine")
@click.argument("texts", type=click.Path(path_type=Path, exists=True))
@click.option("--judge", "file", type=_FILE, help="GGUF file of the model that answers.")
@behind_an_api
@click.option(
    "--ratio", type=click.FloatRange(min=1, min_open=True), help="Default 2; the most with --quality 10."
)
@click.option("--quality", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="A floor, not a ratio.")
@click.option("--calibration", type=_FILE, envvar="MOOS_CALIBRATION", help="What --quality is predicted by.")
@click.option(
    "--told/--not-told", default=True, show_default=True, help="Whether the compressor is told the question."
)
@click.option("--price", type=click.FloatRange(min=0), help="Money per million input tokens.")
@click.option("--checkpoint", type=_FOLDER, help="Checkpoint directory; default the bundled one.")
@click.option("--limit", type=click.IntRange(1), help="At most so many texts.")
@click.option("--out", type=_FILE, default=Path("mine.html"), show_default=True, help="The page to write.")
@click.option("--replies", type=_FOLDER, help="Keep the answers here, to go on after an interruption.")
@click.option("--threads", type=click.IntRange(1), help="Threads; all by default.")
@one_line("local")
def mine_command(
    file: Path | None,
    base_url: str | None,
    model: str | None,
    tokenizer: str,
    window: int,
    threads: int | None,
    **chosen: Any,
) -> None:
    """Ask a model about your own TEXTS, full and shortened: a folder of .txt and .md, or a file of JSON lines."""
    from moosproxy.compressor.evaluation.mine import session

    found = judge(file, base_url, model, tokenizer, window, threads)
    if found is None:
        raise CompressorError("who answers? Give --judge FILE.gguf, or --base-url URL with --model NAME")
    session.run(session.Choice(threads=threads, **chosen), found)


def answerer(model: str, base_url: str | None, tokenizer: str, window: int, threads: int | None) -> Answerer:
    """Raises CompressorError for a file that is not there or cannot be loaded."""
    if base_url:
        from moosproxy.compressor.evaluation.answers.endpoint import EndpointAnswerer

        return EndpointAnswerer(base_url, model, os.environ.get("OPENAI_API_KEY"), tokenizer)
    if not Path(model).is_file():
        raise CompressorError(f"no file {model}; give a GGUF file, or --base-url for a model elsewhere")
    from moosproxy.proxy.bench.judge.gguf import GgufAnswerer

    return GgufAnswerer(Path(model), window, threads)


def judge(
    file: Path | None, base_url: str | None, model: str | None, tokenizer: str, window: int, threads: int | None
) -> Answerer | None:
    """The judge that --judge or --base-url with --model name; None for none. Raises CompressorError."""
    if bool(base_url) != bool(model):
        raise CompressorError("--base-url and --model go together")
    if file and base_url:
        raise CompressorError("a GGUF file or --base-url, not both")
    if base_url and model:
        return answerer(model, base_url, tokenizer, window, threads)
    return answerer(str(file), None, tokenizer, window, threads) if file else None
