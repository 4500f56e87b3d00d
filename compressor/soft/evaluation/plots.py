"""Plots of soft compression: exact match against ratio, and cost against length."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from moosproxy.compressor.soft.evaluation.evaluate import FULL, HARD, NAMES, NONE, Results
from moosproxy.compressor.soft.evaluation.statistics import mean, scores

_STYLES: Final = {
    "sac": ("SAC", "#c2410c", "o"),
    "epl": ("EPL", "#0e7490", "v"),
    "500x": ("500x-like", "#15803d", "^"),
    "icae": ("ICAE", "#1d4ed8", "s"),
    "icformer": ("IC-Former", "#9333ea", "d"),
    HARD: ("hard compression", "#6b7280", "x"),
}
_DASHES: Final[tuple[Any, ...]] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def draw(results: Results, cost: dict[str, Any] | None, folder: Path) -> list[str]:
    """Writes SVG files that do not change when the figures do not. Returns their names."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.hashsalt": "moosproxy", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    folder.mkdir(parents=True, exist_ok=True)
    names = [_quality(results, folder / "soft-quality.svg")]
    if cost:
        names.append(_cost(cost, folder / "soft-cost.svg"))
    return names


def _quality(results: Results, path: Path) -> str:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 3.8))
    for method, (label, colour, mark) in _STYLES.items():
        found = [(ratio, scores(results, NAMES, method, ratio)) for ratio in (4, 5, 15, 51)]
        points = [(ratio, mean(each)) for ratio, each in found if each is not None]
        if points:
            x = [ratio for ratio, _ in points]
            axes.plot(x, [100 * each.value for _, each in points], color=colour, marker=mark, label=label)
            low, high = [100 * each.low for _, each in points], [100 * each.high for _, each in points]
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    for method, dash in ((FULL, "--"), (NONE, ":")):
        bound = scores(results, NAMES, method, 1)
        if bound is not None:
            axes.axhline(100 * bound.mean(), color="#111827", linestyle=dash, linewidth=1, label=method)
    axes.set_xscale("log")
    axes.set_xticks([4, 5, 15, 51], ["4", "5", "15", "51"])
    axes.minorticks_off()
    axes.set_xlabel("ratio (context tokens / vectors)")
    axes.set_ylabel("exact match, %")
    axes.set_ylim(0, 103)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    return _saved(figure, path)


def _cost(cost: dict[str, Any], path: Path) -> str:
    from matplotlib import pyplot

    figure, (counted, measured) = pyplot.subplots(1, 2, figsize=(8.4, 3.6))
    for axes, kind, scale in ((counted, "counted", 1e9), (measured, "measured", 1.0)):
        for dash, (shape, methods) in zip(_DASHES, cost[kind].items(), strict=False):
            for method in ("icformer", "icae"):
                label, colour, mark = _STYLES[method]
                x = [int(length) for length in methods[method]]
                y = [value / scale for value in methods[method].values()]
                axes.plot(x, y, linestyle=dash, color=colour, marker=mark, markersize=3, label=f"{label}, {shape}")
        axes.set(xscale="log", yscale="log", xlabel="context tokens")
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=7)
    counted.set_ylabel("counted GFLOP")
    measured.set_ylabel("seconds")
    return _saved(figure, path)


def _saved(figure: Any, path: Path) -> str:
    from matplotlib import pyplot

    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name
