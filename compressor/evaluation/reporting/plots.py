"""Plots for docs/plots: quality against ratio, one curve a method, and over-smoothing per layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moosproxy.compressor.evaluation.reporting.report import OURS, RIVAL, WORDS
from moosproxy.compressor.evaluation.reporting.results import FULL_TEXT, Results
from moosproxy.compressor.evaluation.reporting.tables import F1, estimate, headline_measure
from moosproxy.compressor.evaluation.tasks import TASKS

# Colours that stay apart in grey and for the colour-blind; ours are the saturated ones.
STYLES = {
    "moosproxy, question-aware": ("#c2410c", "-", "o"),
    "moosproxy, task-agnostic": ("#1d4ed8", "-", "o"),
    "moosproxy, question-aware, words": ("#c2410c", ":", "s"),
    "moosproxy, task-agnostic, words": ("#1d4ed8", ":", "s"),
    "LLMLingua-2 recipe": ("#15803d", "--", "^"),
    "LLMLingua-2 recipe, nothing forced": ("#65a30d", "--", "v"),
    "BM25 sentences": ("#9333ea", "-.", "d"),
    "stop words and IDF": ("#6b7280", "-.", "x"),
    "head and tail": ("#9ca3af", "-.", "+"),
    "random words": ("#a8a29e", ":", "."),
}
_OVERVIEW = ("squad_dev", "nq_multidoc_20", "qmsum_val", "logs")


def prepare(folder: Path) -> None:
    """The look of all plots, as SVG files that do not change when the figures do not."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.hashsalt": "moosproxy", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    folder.mkdir(parents=True, exist_ok=True)


def draw(results: Results, folder: Path) -> list[str]:
    """Writes the plots. Returns their names."""
    prepare(folder)
    names = []
    overview = [task for task in _OVERVIEW if task in results.sums]
    if overview:
        names.append(_quality(results, overview, folder / "quality.svg"))
    rest = [task for task in results.tasks(TASKS) if task not in overview and not TASKS[task].own_rate]
    if rest:
        names.append(_quality(results, rest, folder / "quality-more.svg"))
    layers = _layers(results)
    if layers:
        names.append(_smoothing(layers, folder / "over-smoothing.svg"))
    return names


def _quality(results: Results, tasks: list[str], path: Path) -> str:
    from matplotlib import pyplot

    columns = 2 if len(tasks) <= 4 else 3
    lines = -(-len(tasks) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(4.6 * columns, 3.3 * lines + 0.9), squeeze=False)
    handles: dict[str, Any] = {}
    for axes, task in zip(grid.flat, tasks, strict=False):
        handles.update(_curves(axes, results, task))
    for axes in list(grid.flat)[len(tasks) :]:
        axes.axis("off")
    order = [name for name in STYLES if name in handles]
    figure.legend(
        [handles[n] for n in order], order, loc="lower center", ncols=3 if columns == 2 else 4, frameon=False
    )
    figure.tight_layout(rect=(0, 0.75 / figure.get_figheight(), 1, 1))
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name


def _curves(axes: Any, results: Results, task: str) -> dict[str, Any]:
    headline = headline_measure(results, task)
    handles = {}
    for method in reversed(results.methods(task)):
        points = []
        for ratio in results.ratios(task):
            found = estimate(results, task, method, ratio, headline)
            realised = estimate(results, task, method, ratio, "ratio")
            if method != FULL_TEXT and found and realised:
                points.append((realised.value, 100 * found.value, 100 * found.low, 100 * found.high))
        if not points:
            continue
        colour, dash, mark = STYLES.get(method, ("#000000", "-", "."))
        x, y, low, high = zip(*points, strict=True)
        ours = method.startswith((OURS, RIVAL))
        (handles[method],) = axes.plot(
            x, y, dash, color=colour, marker=mark, markersize=4, linewidth=1.8 if ours else 1.1, label=method
        )
        if method.startswith(OURS) and not method.endswith(WORDS):
            axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_title(f"{task}: {_what(headline)}", fontsize=9.5)
    axes.set_xlabel("ratio (original / kept pieces)")
    axes.set_ylabel("%")
    axes.set_ylim(0, 103)
    axes.grid(alpha=0.25)
    return handles


def _what(headline: str) -> str:
    names = {F1: "share of full-text F1", "intact": "answer still intact", "content": "reference content words"}
    return names.get(headline, headline)


def _layers(results: Results) -> dict[str, list[float]]:
    """S^l by layer of each checkpoint that tells it."""
    found: dict[str, list[float]] = {}
    for key, name in (("rival training", "cross entropy alone"), ("training", "this checkpoint")):
        facts = results.facts.get(key) or {}
        if facts.get("layer_similarity_after"):
            found[name] = facts["layer_similarity_after"]
        while facts.get("before"):  # a run that went on from another one
            facts = facts["before"]
        if facts.get("layer_similarity_before"):
            found["before training"] = facts["layer_similarity_before"]
    return found


def _smoothing(layers: dict[str, list[float]], path: Path) -> str:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 3.4))
    colours = {"before training": "#6b7280", "cross entropy alone": "#15803d", "this checkpoint": "#1d4ed8"}
    for name, values in layers.items():
        axes.plot(range(len(values)), values, marker="o", markersize=4, color=colours[name], label=name)
    axes.set_xlabel("layer (0: embeddings)")
    axes.set_ylabel("cosine similarity between classes")
    axes.set_title("Over-smoothing: how alike kept and dropped words are", fontsize=9.5)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name
