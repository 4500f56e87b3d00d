"""The command `moos train`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moosproxy.compressor.commands.console import StepBar
from moosproxy.compressor.commands.soft import train_soft
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.training.config import TrainConfig, distilled, shipped

if TYPE_CHECKING:
    from moosproxy.compressor.training.train import Progress, Report

_FOLDER = click.Path(path_type=Path, file_okay=False)
_DEFAULTS = TrainConfig()


@click.group(invoke_without_command=True)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MOOS_DATA",
    default=Path("data"),
    show_default=True,
    help="Folder with train/, or the training records (*.jsonl.gz) themselves.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Checkpoint directory to write.")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/train"),
    show_default=True,
    help="Folder for the run's state; a run found there is resumed.",
)
@click.option(
    "--base",
    "start",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Encoder to start from, in Hugging Face form; default: the installed all-MiniLM-L6-v2.",
)
@click.option(
    "--mixture",
    type=click.Choice(["shipped", "polish", "questions", "answers", "rival"]),
    help="One run on this mixture only, instead of the shipped recipe's runs; `rival` is the LLMLingua-2 recipe "
    "(with --beta 0).",
)
@click.option("--tokens", type=click.IntRange(min=1), help="Tokens of each run.")
@click.option("--batch-tokens", type=click.IntRange(min=512), help="Tokens of each step.")
@click.option("--lr", type=float, help="Peak learning rate of each run.")
@click.option("--beta", type=click.FloatRange(min=0), help="Weight of the inter-class similarity loss.")
@click.option("--similarity-floor", type=float, help="Clamp S from below; 0 stops at orthogonal classes.")
@click.option(
    "--reader",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Reader to ask in the recipe's last run (`moos eval train-reader`); default: one is trained first. "
    "Never the one that judges.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; default: torch's choice.")
def train(
    data: Path,
    out: Path | None,
    folder: Path,
    start: Path | None,
    reader: Path | None,
    threads: int | None,
    seed: int,
    mixture: str | None,
    **chosen: Any,
) -> None:
    """Train a compressor checkpoint. Without further options: the recipe of the shipped one."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    try:
        from moosproxy.compressor.training import recipe
    except ImportError as missing:
        raise click.ClickException(
            f"training needs the extra: pip install 'moosproxy[train]' ({missing})"
        ) from None
    import torch

    if threads:
        torch.set_num_threads(threads)
    whole = shipped(seed)
    runs = whole if mixture is None else (_alone(whole, mixture, seed),)
    given = {name: value for name, value in chosen.items() if value is not None}
    try:
        with _Bar() as bar:
            configs = [replace(run, **given) for run in runs]
            recipe.run_all(_records(data), out, folder, configs, start, reader, report=bar.report, say=bar.say)
    except (CompressorError, FileNotFoundError, ValueError) as fault:
        raise click.UsageError(str(fault)) from None


def _alone(whole: tuple[TrainConfig, ...], mixture: str, seed: int) -> TrainConfig:
    """The recipe's run on this mixture, or a plain one."""
    own = [run for run in whole if run.mixture == mixture]
    return own[0] if own else TrainConfig(seed=seed, mixture=mixture)


train.add_command(train_soft)


def _records(given: Path) -> Path:
    """The folder of the training records, which `moos eval` takes as train/ of a folder."""
    return given / "train" if (given / "train").is_dir() else given


@train.command("quantize")
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=_FOLDER, required=True, help="Where the 8-bit checkpoint is written.")
@click.option("--data", type=_FOLDER, help="Directory of the training records; default MOOS_DATA, or ./data.")
@click.option(
    "--worst",
    type=click.FloatRange(min=0),
    default=0.06,
    show_default=True,
    help="Leave layers alone whose output would be off by more than this share of its size.",
)
def quantize_command(checkpoint: Path, out: Path, data: Path | None, worst: float) -> None:
    """Write the 8-bit form of a checkpoint. Judge it with `moos eval run` on both, then `moos eval compare`."""
    from moosproxy.compressor.training.sealing import eight_bit

    folder = _records(data or Path(os.environ.get("MOOS_DATA", "data")))
    try:
        fingerprint, told = eight_bit.write(checkpoint, out, folder, worst)
    except ImportError as missing:
        raise click.UsageError(f"this needs the extra: pip install 'moosproxy[train]' ({missing})") from None
    except (CompressorError, FileNotFoundError) as fault:
        raise click.UsageError(str(fault)) from None
    click.echo(f"{out}: {told['layers']} layers in 8 bits, worst error {told['worst_error']}, {fingerprint}")


class _Bar(StepBar):
    @property
    def report(self) -> Report:
        """Called after each step."""
        return self._report

    def _report(self, at: Progress) -> None:
        line = (
            f"CE {at.ce:.4f}  relevance {at.relevance:.3f}  L_CS {at.similarity:+.3f}  "
            f"answers {at.answer:.3f}  lr {at.lr:.1e}  "
            f"{at.tokens / max(at.seconds, 1e-9):,.0f} tokens/s"
        )
        self.show(at, line)


@train.command("distil")
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=_FOLDER, required=True, help="Where the shallower checkpoint is written.")
@click.option("--layers", type=click.IntRange(min=1), default=4, show_default=True, help="Layers to keep.")
@click.option("--data", type=_FOLDER, help="Directory of the training records; default MOOS_DATA, or ./data.")
@click.option(
    "--run",
    "folder",
    type=_FOLDER,
    default=Path("runs/distil"),
    show_default=True,
    help="Folder for the run's state; a run found there is resumed.",
)
@click.option("--tokens", type=click.IntRange(min=1), help="Tokens of the run.")
@click.option("--lr", type=float, help="Peak learning rate.")
@click.option("--seed", type=int, help="Another one for other texts.")
@click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The hf folder of an earlier run, to learn on from its student.",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; default: torch's choice.")
def distil_command(
    checkpoint: Path,
    out: Path,
    layers: int,
    data: Path | None,
    folder: Path,
    threads: int | None,
    start: Path | None,
    **chosen: Any,
) -> None:
    """Teach a checkpoint's scores to one with fewer layers; its 8-bit form is made by `moos train quantize`."""
    try:
        from moosproxy.compressor.training import distil
    except ImportError as missing:
        raise click.UsageError(f"this needs the extra: pip install 'moosproxy[train]' ({missing})") from None
    import torch

    if threads:
        torch.set_num_threads(threads)
    config = replace(distilled(), **{name: value for name, value in chosen.items() if value is not None})
    records = _records(data or Path(os.environ.get("MOOS_DATA", "data")))
    try:
        with _Bar() as bar:
            distil.run(checkpoint, records, out, folder, layers, config, start, report=bar.report, say=bar.say)
    except (CompressorError, FileNotFoundError, ValueError) as fault:
        raise click.UsageError(str(fault)) from None
