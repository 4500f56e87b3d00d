"""docs/results.md and docs/failures.md, from everything that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from moosproxy.compressor.evaluation.answers.outcome import load_failures
from moosproxy.compressor.evaluation.floors import FILE_NAME, Floors
from moosproxy.compressor.evaluation.reporting import answer_plots, answers, floors, report
from moosproxy.compressor.evaluation.reporting.paper import BESIDE_THE_PAPER
from moosproxy.compressor.evaluation.reporting.results import Results


def write(results: Results, plots: Sequence[str], docs: Path) -> None:
    """Answers of models come from docs/answers, a folder for each; floors from docs/floor.json.

    Raises CompressorError.
    """
    folders = sorted(path.parent for path in (docs / "answers").glob("*/results.json"))
    several = [Results.load(folder / "results.json") for folder in folders]
    drawn = "\n\n".join(f"![{name}](plots/{name})" for name in answer_plots.draw(several, docs / "plots"))
    lead = "\n\n".join(filter(None, [answers.section(several), drawn, BESIDE_THE_PAPER])) if several else ""
    floored = floors.section(Floors.load(docs / FILE_NAME)) if (docs / FILE_NAME).exists() else ""
    page = report.markdown(results, plots, lead, floored)
    (docs / "results.md").write_text(page, encoding="utf-8")
    if folders:
        lost = [(one.facts["model"], load_failures(folder)) for one, folder in zip(several, folders, strict=True)]
        (docs / "failures.md").write_text(answers.failures(lost), encoding="utf-8")
