"""Plots for docs/plots: what a load needs, and what a loss and a rise look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from moosproxy.compressor.evaluation.reporting.plots import prepare
from moosproxy.proxy.bench.fleet.parts import Outcome

_COLOURS = {"told": "#7c3aed", "own": "#c2410c", "two": "#1d4ed8", "least": "#15803d"}
_NAMES = {
    "told": "the better of two, by what they told last",
    "own": "what each proxy knows itself",
    "two": "the better of two, by all that wait there",
    "least": "one queue for all",
}

Curve = Sequence[tuple[float, float]]


def draw(waits: Mapping[str, Curve], runs: Mapping[str, Outcome], file: Path) -> None:
    """Writes one SVG. waits: seconds by load, for each dispatch. runs: by name, second by second."""
    prepare(file.parent)
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 1 + len(runs), figsize=(4.2 * (1 + len(runs)), 3.4))
    axes = grid[0]
    for dispatch, curve in waits.items():
        axes.plot(*zip(*curve, strict=True), marker="o", color=_COLOURS[dispatch], label=_NAMES[dispatch])
    top = 1.4 * max(seconds for curve in waits.values() for _, seconds in curve)  # with room for the names
    axes.set(xlabel="load of the replicas, %", ylabel="wait in queues, 95th percentile, s", ylim=(0, top))
    axes.legend(frameon=False, fontsize=7, loc="upper left")
    for axes, (name, run) in zip(grid[1:], runs.items(), strict=True):
        _timeline(axes, name, run)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _timeline(axes: object, name: str, run: Outcome) -> None:
    """Tokens that wait on a replica, and the number of those."""
    at = [second for second, *_ in run.timeline]
    queued = [tokens / max(1, replicas) for _, tokens, replicas, _ in run.timeline]
    plot, twin = axes.plot, axes.twinx()  # type: ignore[attr-defined]
    plot(at, queued, color="#c2410c")
    twin.plot(at, [replicas for _, _, replicas, _ in run.timeline], color="#1d4ed8", linestyle="--")
    twin.set(ylabel="replicas (dashed)", ylim=(0, None))
    axes.set(title=name, xlabel="s", ylabel="tokens that wait, by replica", ylim=(0, None))  # type: ignore[attr-defined]
