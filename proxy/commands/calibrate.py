"""`moos calibrate`: what a quality floor is predicted by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from moosproxy.compressor.commands.console import one_line
from moosproxy.proxy.commands.judges import behind_an_api

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("calibrate")
@click.option("--data", type=_FOLDER, help="Folder with train/; default MOOS_DATA or ./data.")
@click.option("--texts", type=click.Path(path_type=Path), help="Your own: FILE.jsonl or FOLDER, not the data.")
@click.option("--judge-model", type=_FILE, help="GGUF file of a model that judges; default by rule, without one.")
@behind_an_api
@click.option("--checkpoint", type=_FOLDER, help="Checkpoint directory; default the bundled one.")
@click.option("--out", type=_FILE, default=Path("calibration.json"), show_default=True, help="The file to write.")
@click.option("--limit", type=click.IntRange(1), help="At most so many texts of each source.")
@click.option("--replies", type=_FOLDER, help="Keep the judge's answers here, to go on after an interruption.")
@click.option("--threads", type=click.IntRange(1), help="Threads; all by default.")
@one_line("local")
def calibrate(
    judge_model: Path | None,
    base_url: str | None,
    model: str | None,
    tokenizer: str,
    window: int,
    threads: int | None,
    **chosen: Any,
) -> None:
    """Measure how far texts can be shortened for a share of answers, for `quality` in policies."""
    from moosproxy.compressor.quality import session
    from moosproxy.proxy.commands.evaluate import judge

    found = judge(judge_model, base_url, model, tokenizer, window, threads)
    session.calibrate(session.Choice(threads=threads, **chosen), found)
