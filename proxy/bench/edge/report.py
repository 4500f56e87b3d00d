"""The edge bench's figures as numbers, a table, a plot and a page."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from moosproxy.proxy.bench.edge.life import Life
from moosproxy.proxy.bench.edge.models import EdgeModel
from moosproxy.proxy.bench.edge.run import Figure

_COLOURS = {2: "#1d4ed8", 3: "#15803d", 4: "#c2410c"}
_CALM = 1.0


def summary(model: EdgeModel, figures: list[Figure], life: Life, peak_mb: float | None) -> dict[str, Any]:
    """Medians of each case; `gain` is the time without compression over the time with it."""
    cases: defaultdict[tuple[int, float], list[Figure]] = defaultdict(list)
    for figure in figures:
        cases[figure.case.tokens, figure.case.ratio].append(figure)
    rows = []
    for (tokens, ratio), runs in sorted(cases.items()):
        bare = cases[tokens, 1.0]
        first, total = _middle(runs, "first"), _middle(runs, "total")
        rows.append(
            {
                "tokens": tokens,
                "ratio": ratio,
                "wish": round(runs[0].case.wish, 3),
                "prompt": round(median(run.prompt for run in runs)),
                "reached": round(_middle(bare, "prompt") / _middle(runs, "prompt"), 2),
                "first_s": round(first, 4),
                "total_s": round(total, 4),
                "compression_s": round(_middle(runs, "compression"), 4),
                "model_s": round(_middle(runs, "model"), 4),
                "own_share": round(median(run.own / run.first for run in runs), 5),
                "first_gain": round(_middle(bare, "first") / first, 2),
                "total_gain": round(_middle(bare, "total") / total, 2),
                "first_all_s": [round(run.first, 3) for run in runs],
            }
        )
    return {
        "file": model.path.name,
        "megabytes": round(model.path.stat().st_size / 1e6),
        "weights": "random" if model.random else "given",
        "about": model.description,
        "peak_mb": None if peak_mb is None else round(peak_mb),
        "second_turn": {name: round(value, 4) for name, value in asdict(life.turn).items()},
        "freed_ms": {name: [round(time, 1) for time in times] for name, times in asdict(life.freed).items()},
        "cases": rows,
    }


def _middle(runs: list[Figure], name: str) -> float:
    return float(median(getattr(run, name) for run in runs))


def table(result: dict[str, Any]) -> str:
    """For people."""
    return "\n".join(_lines(result))


def _lines(result: dict[str, Any]) -> Iterator[str]:
    head = (
        "tokens",
        "ratio",
        "sent",
        "reached",
        "first s",
        "gain",
        "in all s",
        "gain",
        "compr. s",
        "llama s",
        "own %",
    )
    yield "".join(f"{name:>9}" for name in head)
    for row in result["cases"]:
        cells = (
            f"{row['tokens']}",
            f"{row['ratio']:g}",
            f"{row['prompt']}",
            f"{row['reached']:.2f}",
            f"{row['first_s']:.2f}",
            f"{row['first_gain']:.2f}",
            f"{row['total_s']:.2f}",
            f"{row['total_gain']:.2f}",
            f"{row['compression_s']:.3f}",
            f"{row['model_s']:.2f}",
            f"{row['own_share'] * 100:.2f}",
        )
        yield "".join(f"{cell:>9}" for cell in cells)
    turn, freed = result["second_turn"], result["freed_ms"]
    yield (
        f"second turn, the first message compressed: {turn['prompt']} tokens, {turn['new']} of them new, "
        f"{turn['read']} read by the model"
    )
    yield f"  first text after {turn['first']:.2f} s; {turn['first_before']:.2f} s in the first turn"
    yield "a request given up frees the model for the next after"
    yield f"  {_range(freed['prompt'])} while it reads the prompt, {_range(freed['answer'])} while it writes"
    if result["peak_mb"] is not None:
        yield f"peak memory of proxy, compressor and model: {result['peak_mb']} MB"


def _range(times: Sequence[float]) -> str:
    return f"{median(times):.0f} ms (at most {max(times):.0f})" if times else "(too short to measure)"


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Gain in time to first token against prompt length, a curve a ratio, a panel a model."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {"svg.hashsalt": "moosproxy", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    )
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(results), figsize=(4.6 * len(results), 3.4), squeeze=False, sharey=True
    )
    for axes, (name, result) in zip(panels[0], results.items(), strict=True):
        ratios = sorted({row["ratio"] for row in result["cases"]} - {1.0})
        for ratio in ratios:
            rows = [row for row in result["cases"] if row["ratio"] == ratio]
            colour = _COLOURS.get(int(ratio), "#6b7280")
            lengths, gains = [row["tokens"] for row in rows], [row["first_gain"] for row in rows]
            axes.plot(lengths, gains, "-o", color=colour, label=f"{ratio:g}x")
        axes.axhline(1, color="#a8a29e", linestyle=":")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted({row["tokens"] for row in result["cases"]}))
        axes.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
        axes.set_title(f"{name} ({result['weights']} weights)")
        axes.set_xlabel("prompt tokens")
        axes.legend(title="compression", frameon=False)
    panels[0][0].set_ylabel("first token sooner by a factor of")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def page(line: dict[str, Any], image: Path | None) -> str:
    """The run as a page of documentation."""
    before, after = line["load_average"]
    busy = f"{before} before and {after} after the run"
    if (before or 0) > _CALM:
        busy += ": other programs were running, so the times are too long"
    shown = f"![Gain in time to first token](plots/{image.name})\n\n" if image is not None else ""
    tables = "".join(
        f"## {name}\n\n{result['about']}.\n\n```\n{table(result)}\n```\n\n"
        for name, result in line["models"].items()
    )
    return (
        "# A local model behind the proxy\n\n"
        "Written by `moos bench edge --write FILE`; run it to get your own figures. Streamed requests through\n"
        f"the running proxy, {line['rounds']} of each kind in turns, medians; every text is new, so nothing\n"
        "comes from a cache. `first` is the time to the first text, compression included; `llama` is\n"
        "llama.cpp's part of it; `own` is the share of it that is neither compression nor llama.cpp. `sent`\n"
        "counts the model's tokens, and `reached` is how many times fewer they are.\n\n"
        f"- Machine: {line['machine']}. Load average: {busy}.\n\n"
        f"{shown}{tables}```json\n{json.dumps(line)}\n```\n"
    )
