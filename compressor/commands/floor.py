"""`moos eval floor`. Importing this loads no model and needs no torch."""

from __future__ import annotations

from pathlib import Path

import click

from moosproxy.compressor.commands.console import one_line

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("floor")
@click.option("--data", type=_FOLDER, help="Folder with eval/; default MOOS_DATA or ./data.")
@click.option("--checkpoint", type=_FOLDER, help="Checkpoint directory; default the bundled one.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="MOOS_CALIBRATION",
    help="Default the checkpoint's.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many texts a set.")
@click.option("--docs", type=_FOLDER, default=Path("docs"), show_default=True, help="Gets floor.json.")
@click.option("--threads", type=click.IntRange(1), help="Threads; all by default.")
@one_line("train")
def floor_command(
    data: Path | None,
    checkpoint: Path | None,
    calibration: Path | None,
    limit: int | None,
    docs: Path,
    threads: int | None,
) -> None:
    """Hold floors of quality against what is really kept, beside fixed ratios, on sets no calibration saw."""
    from moosproxy.compressor import records
    from moosproxy.compressor.compressor import Compressor
    from moosproxy.compressor.evaluation import floors
    from moosproxy.compressor.evaluation.progress import bars
    from moosproxy.compressor.evaluation.reporting.floors import section

    where = records.data_directory(data)
    with bars() as progress, Compressor.load(checkpoint, threads=threads, calibration=calibration) as compressor:
        bar = progress.add_task("texts", total=None)
        found = floors.measure(compressor, where, limit, lambda: progress.advance(bar))
    found.save(docs / floors.FILE_NAME)
    click.echo(section(found))
