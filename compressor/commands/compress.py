"""`moos compress`: a file or standard input, shorter, on standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.settings import DEFAULT_PROTECT, CompressionSettings, Kind, parse_kinds

if TYPE_CHECKING:
    from moosproxy.compressor.result import CompressionResult

# Files longer than this show a progress bar.
_PROGRESS_CHARS = 200_000
_DEFAULTS = CompressionSettings()
_MOST = 10.0


class _OneLine(click.Command):
    """A command whose usage faults are one line, like every other fault."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as fault:
            _fail(fault.format_message())


@click.command(cls=_OneLine)
@click.argument("file", metavar="FILE|-")
@click.option("--ratio", type=float, help="Original tokens / kept tokens; default 2, the most with --quality 10.")
@click.option("--quality", type=float, help="Least share of answers to keep: takes the highest ratio that does.")
@click.option(
    "--alpha",
    type=float,
    default=_DEFAULTS.alpha,
    show_default=True,
    help="Weight of the classifier against the outlier score, 0 to 1.",
)
@click.option(
    "--protect",
    default=None,
    metavar="KINDS",
    help=f"Comma-separated kinds that are never cut, `all` or `none`: {', '.join(kind.value for kind in Kind)}.",
)
@click.option("--pattern", multiple=True, metavar="REGEX", help="Never cut what matches. Repeatable.")
@click.option(
    "--question",
    default=_DEFAULTS.question,
    show_default=True,
    help="`auto` finds it in the text, `off` ignores it, anything else is the question.",
)
@click.option("--tokenizer", default=None, metavar="NAME", help="Count tokens as this model or encoding does.")
@click.option("--checkpoint", type=click.Path(path_type=Path), default=None, help="Another checkpoint directory.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    envvar="MOOS_CALIBRATION",
    help="What --quality is predicted by; default the checkpoint's.",
)
@click.option("--engine", default="auto", show_default=True, help="auto, onnxruntime, openvino or torch.")
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads to use; all by default.")
@click.option("--json", "as_json", is_flag=True, help="The whole result as JSON on standard output.")
@click.option("--show", is_flag=True, help="The original with kept, protected and dropped words in colour.")
@click.option("--html", type=click.Path(path_type=Path), default=None, help="Write a heat map of the scores.")
def compress(
    file: str,
    ratio: float | None,
    quality: float | None,
    alpha: float,
    protect: str | None,
    pattern: tuple[str, ...],
    question: str,
    tokenizer: str | None,
    checkpoint: Path | None,
    calibration: Path | None,
    engine: str,
    threads: int | None,
    as_json: bool,
    show: bool,
    html: Path | None,
) -> None:
    """Shorten FILE (or standard input with -) and print the shorter text."""
    try:
        settings = CompressionSettings(
            ratio=(_DEFAULTS.ratio if quality is None else _MOST) if ratio is None else ratio,
            quality=quality,
            alpha=alpha,
            protect=_kinds(protect),
            patterns=pattern,
            question=question,
            tokenizer=tokenizer,
        )
        _check_tokenizer(tokenizer)
        text = _read(file)
        result = _run(text, settings, checkpoint, calibration, engine, threads, words=show or html is not None)
    except CompressorError as fault:
        _fail(str(fault))
    if html is not None:
        from moosproxy.compressor import heat_map

        page = heat_map.page(text, result.words or (), result.summary())
        try:
            html.write_text(page, encoding="utf-8")
        except OSError as fault:
            _fail(f"{html} cannot be written: {fault.strerror}")
    _print(text, result, as_json=as_json, show=show)


def _check_tokenizer(name: str | None) -> None:
    """Where tokens cannot be counted as asked they would be counted otherwise, and nobody would know."""
    if name is None:
        return
    import tiktoken

    from moosproxy.compressor.text.tokens import counter_for

    if counter_for(name) is None:
        known = ", ".join(tiktoken.list_encoding_names())
        _fail(
            f"no tokenizer {name!r} on this machine. Encodings: {known}, or an OpenAI model's name; files of "
            "those that are not bundled are read from TIKTOKEN_CACHE_DIR"
        )


def _print(text: str, result: CompressionResult, *, as_json: bool, show: bool) -> None:
    from moosproxy.compressor import render

    if as_json:
        click.echo(render.as_json(result))
    elif show:
        render.coloured(text, result)
    else:
        sys.stdout.buffer.write(result.text.encode("utf-8"))
        if sys.stdout.isatty() and not result.text.endswith("\n"):
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
    click.echo(result.summary(), err=True)


def _run(
    text: str,
    settings: CompressionSettings,
    checkpoint: Path | None,
    calibration: Path | None,
    engine: str,
    threads: int | None,
    *,
    words: bool,
) -> CompressionResult:
    from moosproxy.compressor.compressor import Compressor

    with Compressor.load(checkpoint, engine=engine, threads=threads, calibration=calibration) as compressor:
        if len(text) < _PROGRESS_CHARS or not sys.stderr.isatty():
            return compressor.compress(text, settings, words=words)
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("compressing", total=None)
            return compressor.compress(
                text,
                settings,
                words=words,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )


def _kinds(names: str | None) -> frozenset[Kind]:
    if names is None:
        return DEFAULT_PROTECT
    if names == "all":
        return frozenset(Kind)
    if names in ("none", ""):
        return frozenset()
    return parse_kinds([name.strip() for name in names.split(",")])


def _read(file: str) -> str:
    """The text of a file or of standard input; ends the program with one line on anything else."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except IsADirectoryError:
        _fail(f"{file} is a directory; name a text file, or - for standard input")
    except OSError as fault:
        _fail(f"{file} cannot be read: {fault.strerror}")
    if b"\0" in data:
        _fail(f"{file} is a binary file (it holds zero bytes); name a text file")
    try:
        return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError as fault:
        _fail(f"{file} is not UTF-8 (byte {fault.start}); convert it first, for example with iconv")


def _fail(message: str) -> NoReturn:
    click.echo(f"moos compress: {message}", err=True)
    sys.exit(2)
