"""`moos train soft` and `moos eval soft`. Importing this loads no model and needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from moosproxy.compressor.commands.console import StepBar, one_line
from moosproxy.compressor.soft.errors import SoftError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_FOLDER = click.Path(path_type=Path, file_okay=False)
_METHODS = ("sac", "icformer", "icae", "500x", "epl")

_threads = click.option("--threads", type=click.IntRange(1), help="CPU threads; default torch's choice.")
_device = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 ...")
_MODEL = click.Path(path_type=Path)
_base = click.option(
    "--base", type=_MODEL, required=True, help="Qwen2 or Llama: a folder in Hugging Face form, or a GGUF file."
)
_data = click.option(
    "--data", type=_FOLDER, help="Folder with qa_spans.jsonl.gz: questions on real text as well as templates."
)


def _one_line(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Faults of the input end in one line and exit code 2."""

    @wraps(command)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except RuntimeError as fault:
            # torch's words for too little memory; anything else is a defect and keeps its trace.
            if "memory" not in str(fault):
                raise
            raise SoftError(f"not enough memory; take a smaller --batch or shorter contexts ({fault})") from None

    return one_line("soft")(guarded)


def _whole_numbers(_: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(each) for each in value.split(","))
    except ValueError:
        raise click.BadParameter(f"takes whole numbers with commas between, got {value!r}") from None
    if min(numbers) < 1:
        raise click.BadParameter("takes numbers of at least 1")
    return numbers


@click.group("soft")
def train_soft() -> None:
    """Train soft compressors, or the small language model that stands in for a real one."""


@train_soft.command("base")
@click.option("--out", type=_FOLDER, required=True, help="Where model and tokenizer are written.")
@click.option("--steps", type=click.IntRange(1), default=1500, show_default=True)
@click.option("--batch", type=click.IntRange(256), default=2048, show_default=True, help="Tokens a step.")
@click.option("--width", type=click.IntRange(32), default=128, show_default=True)
@click.option("--layers", type=click.IntRange(1), default=6, show_default=True)
@click.option("--vocabulary", type=click.IntRange(300), default=1024, show_default=True)
@click.option("--seed", default=0, show_default=True)
@_data
@_threads
@_one_line
def base_command(out: Path, data: Path | None, threads: int | None, batch: int, **chosen: Any) -> None:
    """Train the small Qwen2-architecture model on recall and questions. A run found in --out is resumed."""
    from moosproxy.compressor.soft.training import small_lm

    _torch(threads)
    with _Bar() as bar:
        small_lm.train(small_lm.SmallConfig(tokens=batch, **chosen), out, bar.base, data)


@train_soft.command("compressor")
@_base
@click.option("--method", type=click.Choice(_METHODS), required=True)
@click.option(
    "--ratio", "ratios", default="5", show_default=True, callback=_whole_numbers, help="One or more, with commas."
)
@click.option("--out", type=_FOLDER, required=True, help="Where the compressor is written; resumed if unfinished.")
@click.option(
    "--chunk", type=click.IntRange(1), default=510, show_default=True, help="Tokens compressed together."
)
@click.option("--rank", type=click.IntRange(1), default=128, show_default=True, help="LoRA rank; its scale is 2.")
@click.option("--anchor-table", is_flag=True, help="SAC: a vector for each anchor instead of one for all.")
@click.option(
    "--mask",
    type=click.Choice(["open", "anchors", "causal"]),
    default="open",
    show_default=True,
    help="SAC: what sees ahead in the encoder: all tokens, anchors alone, nothing.",
)
@click.option(
    "--form",
    type=click.Choice(["best", "published"]),
    default="best",
    show_default=True,
    help="Where memory tokens stand and how they begin; --positions and --start change either.",
)
@click.option("--positions", type=click.Choice(["appended", "spread", "moving"]), help="Of memory tokens.")
@click.option("--start", type=click.Choice(["zero", "small", "normal", "pooled"]), help="Of memory tokens.")
@click.option("--steps", type=click.IntRange(1), default=20_000, show_default=True, help="On questions.")
@click.option("--text-steps", type=click.IntRange(0), default=20_000, show_default=True, help="On text, before.")
@click.option("--lengths", default="510,1020", show_default=True, callback=_whole_numbers, help="Of contexts.")
@click.option("--batch", type=click.IntRange(1), default=8192, show_default=True, help="Context tokens a step.")
@click.option("--asked", type=click.IntRange(1), default=8, show_default=True, help="Questions a context.")
@click.option(
    "--repeat",
    type=click.FloatRange(0, 1),
    help="Share of the text steps that say the context again instead of going on; default as published.",
)
@click.option("--lr", type=float, help="Default 1e-4 as published; 1e-3 with pooled starts.")
@click.option(
    "--muon", type=float, help="Rate of Muon for matrices; 0: AdamW alone. Default 0.007 with pooled starts."
)
@click.option(
    "--distil",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the loss that is how far the model goes from what it says behind the whole text.",
)
@click.option("--every", type=click.IntRange(1), default=50, show_default=True, help="Steps between two records.")
@click.option(
    "--templates/--no-templates", default=True, show_default=True, help="Without: real text alone, from --data."
)
@click.option("--seed", default=0, show_default=True)
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True)
@_data
@_device
@_threads
@_one_line
def compressor_command(
    base: Path,
    out: Path,
    data: Path | None,
    device: str,
    dtype: str,
    threads: int | None,
    method: Any,
    ratios: tuple[int, ...],
    chunk: int,
    rank: int,
    anchor_table: bool,
    mask: Any,
    form: Any,
    positions: Any,
    start: Any,
    batch: int,
    lr: float | None,
    muon: float | None,
    templates: bool,
    **chosen: Any,
) -> None:
    """Train one compressor for a frozen model, at all the given ratios together."""
    from moosproxy.compressor.soft import session
    from moosproxy.compressor.soft.config import PUBLISHED, SoftConfig
    from moosproxy.compressor.soft.training.train import SoftTraining, rates, train

    _torch(threads)
    wanted = PUBLISHED.get(method) if form == "published" else None
    config = SoftConfig(
        method,
        ratios,
        chunk,
        rank,
        2 * rank,
        anchor_table=anchor_table,
        mask=mask,
        positions=positions or (wanted and wanted.positions),
        start=start or (wanted and wanted.start),
    )
    own = rates(config)
    chosen |= {"lr": own[0] if lr is None else lr, "muon": own[1] if muon is None else muon}
    model, tokenizer = session.base(base, dtype, device)
    seen, held = (session.sources(tokenizer, data, held=each, templates=templates) for each in (False, True))
    with _Bar() as bar:
        train(model, seen, config, SoftTraining(tokens=batch, **chosen), out, bar.compressor, held)


@click.group("soft")
def evaluate_soft() -> None:
    """Measure soft compression beside hard compression, the full context and none."""


@evaluate_soft.command("run")
@_base
@click.option("--compressor", "folders", multiple=True, type=_FOLDER, help="Trained for that base. Repeatable.")
@click.option("--ratios", default="4,5,15,51", show_default=True, callback=_whole_numbers)
@click.option("--questions", type=click.IntRange(1), default=300, show_default=True, help="Of each part.")
@click.option("--length", type=click.IntRange(8), default=204, show_default=True, help="Tokens of a context.")
@click.option(
    "--more",
    multiple=True,
    type=_MODEL,
    help="Another file of such questions: squad_dev.jsonl.gz. Repeatable.",
)
@click.option("--templates/--no-templates", default=True, show_default=True, help="Without: real text alone.")
@click.option("--hard/--no-hard", default=True, show_default=True, help="The bundled compressor beside.")
@click.option("--out", type=_FOLDER, default=Path("runs/soft"), show_default=True)
@_data
@_device
@_threads
@_one_line
def run_command(threads: int | None, **chosen: Any) -> None:
    """Ask every question behind every compressor and write results.json. What is there is not done again."""
    from moosproxy.compressor.soft import session

    _torch(threads)
    session.evaluate(session.Choice(**chosen), lambda text: click.echo(text, err=True))


@evaluate_soft.command("cost")
@click.option("--out", type=_FOLDER, default=Path("runs/soft"), show_default=True)
@click.option("--base", type=_MODEL, help="Measure the time at this model's shape too.")
@click.option("--shape", "shapes", multiple=True, help="Measure at this shape with random weights. Repeatable.")
@click.option("--lengths", default="512,1024,2048,4096", show_default=True, callback=_whole_numbers)
@click.option(
    "--up-to", type=click.IntRange(1), default=1024, show_default=True, help="Longest one run at a --shape."
)
@click.option("--ratio", type=click.IntRange(1), default=4, show_default=True)
@_device
@_threads
@_one_line
def cost_command(threads: int | None, **chosen: Any) -> None:
    """Count the arithmetic of compression at several shapes, measure its time, and write cost.json."""
    from moosproxy.compressor.soft.evaluation import timing

    _torch(threads)
    timing.measure(timing.Choice(**chosen), lambda text: click.echo(text, err=True))


@evaluate_soft.command("report")
@click.option("--out", type=_FOLDER, default=Path("runs/soft"), show_default=True, help="Where the others wrote.")
@click.option("--docs", type=_FOLDER, default=Path("docs"), show_default=True)
@click.option("--note", default="", help="A remark to stand above the figures.")
@click.option("--real", is_flag=True, help="Write the section about a real model alone; the rest stays.")
@_one_line
def report_command(out: Path, docs: Path, note: str, real: bool) -> None:
    """Write docs/results-soft.md and its plots."""
    from moosproxy.compressor.soft.evaluation import real as section
    from moosproxy.compressor.soft.evaluation import report

    click.echo((section if real else report).write(out, docs, note))


def _torch(threads: int | None) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)


class _Bar(StepBar):
    def __init__(self) -> None:
        self._recent: dict[str, tuple[float, float]] = {}

    def base(self, at: Any) -> None:
        """After each step of the language model."""
        self._show(at, at.kind)

    def compressor(self, at: Any) -> None:
        """After each step of a compressor."""
        self._show(at, f"{at.task} {at.ratio}x")

    def _show(self, at: Any, name: str) -> None:
        # Steps differ in kind and ratio, so each has its own running mean.
        loss, right = self._recent.get(name, (at.loss, at.right))
        self._recent[name] = (0.9 * loss + 0.1 * at.loss, 0.9 * right + 0.1 * at.right)
        parts = [f"{key} {loss:.2f}/{100 * right:.0f}%" for key, (loss, right) in sorted(self._recent.items())]
        self.show(at, "  ".join(parts), "loss/right: ")
