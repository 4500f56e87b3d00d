"""What models still answer, against the ratio that was reached: one panel a set, one curve a method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from moosproxy.compressor.evaluation.answers.conditions import FULL, NOTHING
from moosproxy.compressor.evaluation.answers.sets import every
from moosproxy.compressor.evaluation.measures import statistics
from moosproxy.compressor.evaluation.reporting.plots import STYLES, prepare
from moosproxy.compressor.evaluation.reporting.results import REALISED, Results

Point = tuple[float, float, float, float]


def draw(several: Sequence[Results], folder: Path) -> list[str]:
    """Writes a file for each model; their names. Sets with one ratio alone are told by the tables."""
    prepare(folder)
    return [name for results in several if (name := _model(results, folder))]


def _model(results: Results, folder: Path) -> str | None:
    from matplotlib import pyplot

    names = [name for name in every() if name in results.sums and len(results.ratios(name)) > 2]
    if not names:
        return None
    figure, grid = pyplot.subplots(1, len(names), figsize=(4.4 * len(names), 4.2), squeeze=False)
    handles: dict[str, Any] = {}
    for axes, name in zip(grid.flat, names, strict=True):
        handles.update(_panel(axes, results, name))
    order = [name for name in STYLES if name in handles]
    figure.legend([handles[name] for name in order], order, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    path = folder / f"answers-{results.facts['model'].lower()}.svg"
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name


def _panel(axes: Any, results: Results, name: str) -> dict[str, Any]:
    handles = {}
    for method in results.methods(name):
        points = list(_points(results, name, method)) if method not in (FULL, NOTHING) else []
        if points and method in STYLES:
            x, y, low, high = zip(*points, strict=True)
            colour, dash, mark = STYLES[method]
            (handles[method],) = axes.plot(x, y, dash, color=colour, marker=mark, markersize=4, label=method)
            axes.fill_between(x, low, high, color=colour, alpha=0.08, linewidth=0)
    axes.set_title(f"{name}: {every()[name].headline}", fontsize=9.5)
    axes.set_xlabel("ratio (the model's own tokens)")
    axes.set_ylabel("% of the full text's score")
    axes.grid(alpha=0.25)
    return handles


def _points(results: Results, name: str, method: str) -> Iterator[Point]:
    """Ratio reached, share kept and its interval."""
    measure = every()[name].headline
    ceiling = results.table(name, FULL, "1", measure)
    for ratio in results.ratios(name):
        sums, reached = (results.table(name, method, ratio, one) for one in (measure, REALISED))
        if sums is not None and reached is not None and ceiling is not None and ceiling[:, 0].sum():
            kept = statistics.share_kept(sums, ceiling)
            true = float(reached[:, 0].sum() / reached[:, 1].sum())
            yield true, 100 * kept.value, 100 * kept.low, 100 * kept.high
