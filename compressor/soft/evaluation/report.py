"""docs/results-soft.md and its plots from results.json and cost.json. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moosproxy.compressor.soft.config import SoftConfig
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation import plots, real
from moosproxy.compressor.soft.evaluation.evaluate import FULL, HARD, NAMES, NONE, Results
from moosproxy.compressor.soft.evaluation.naming import filed, label
from moosproxy.compressor.soft.evaluation.statistics import mean, percent, scores
from moosproxy.compressor.soft.evaluation.targets import order, targets

_PREFACE = """Written by `moos eval soft run`, `moos eval soft cost` and `moos eval soft report`. Percentages with
95% intervals; questions and seeds are both drawn again (1,000 draws, paired by question)."""


def write(out: Path, docs: Path, note: str = "") -> str:
    """Writes the page and the plots, and says which. Raises SoftError if nothing was measured."""
    results = Results(out / "results.json")
    if not results.cells:
        raise SoftError(f"{out / 'results.json'} holds nothing: run `moos eval soft run` first")
    path = out / "cost.json"
    cost = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    names = plots.draw(results, cost, docs / "plots")
    page = docs / "results-soft.md"
    # Another model's section has results of its own and stays as it is.
    text = "\n".join([*_page(results, cost, names, note), real.kept(page)])
    page.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return f"{page} and {len(names)} plots"


def _page(results: Results, cost: dict[str, Any] | None, names: list[str], note: str) -> Iterator[str]:
    yield "# Results of soft compression\n"
    yield _PREFACE + "\n"
    yield from _setting(results)
    if note:
        yield note + "\n"
    yield from targets(results, cost)
    yield from order(results)
    for name in names:
        yield f"![{name.removesuffix('.svg')}](plots/{name})\n"
    for part in dict.fromkeys(key[0] for key in results.cells):
        yield from _table(results, part)
    yield from _spread(results)
    if cost:
        yield from _cost(cost)


def _setting(results: Results) -> Iterator[str]:
    facts = results.facts
    base = facts["base"]
    yield (
        f"The reader is `{base['name']}` ({base['parameters']:,} parameters, fingerprint {base['fingerprint']}), "
        f"frozen. {facts['questions']} questions a part, each about its own context of {facts['length']} tokens; "
        "no name, no value and, in the second part, no wording of it occurs in any training text.\n"
    )
    trained = facts.get("training", {})
    for method, run in ((each, trained[each]) for each in filed(trained)):
        config = run["config"]
        several = len(config["ratios"]) > 1
        ratios = f"ratios {', '.join(map(str, config['ratios']))} in one run, " if several else ""
        seeds = ", ".join(str(each) for each in sorted({key[3] for key in results.cells if key[1] == method}))
        yield (
            f"- {label(method)}{_form(config)}: seeds {seeds}, {ratios}chunks of {config['chunk']} tokens, "
            f"{run['text_steps']} steps on text and {run['steps']} on questions, {run['tokens']} context tokens "
            f"and up to {run['asked']} questions a context a step, AdamW {run['lr']:g}"
            + (f", Muon {run['muon']:g} for matrices" if run["muon"] else "")
        )
    yield ""


def _form(config: dict[str, Any]) -> str:
    """Where memory tokens stand and how they begin, in brackets."""
    form = SoftConfig.from_json(config).form
    return "" if config["method"] == "sac" else f" (positions {form.positions}, start {form.start})"


def _table(results: Results, part: str) -> Iterator[str]:
    ratios = sorted({key[2] for key in results.cells if key[1] not in (FULL, NONE)})
    yield f"## {part[0].upper()}{part[1:]}\n"
    yield "| exact match / F1 | " + " | ".join(f"{ratio}x" for ratio in ratios) + " |"
    yield "|---" * (len(ratios) + 1) + "|"
    for method in filed(key[1] for key in results.cells):
        cells = [_cell(results, part, method, ratio) for ratio in ratios]
        if any(cells):
            yield f"| {label(method)} | " + " | ".join(cells) + " |"
    for method in (FULL, NONE):
        yield f"| {method} | {_cell(results, part, method, 1)} |" + " |" * (len(ratios) - 1)
    realised = [
        f"{ratio}x: {cell.realised:.1f}" for ratio in ratios if (cell := results.cells.get((part, HARD, ratio, 0)))
    ]
    if realised:
        yield f"\nRealised ratios of hard compression in the reader's tokens: {', '.join(realised)}."
    yield ""


def _cell(results: Results, part: str, method: str, ratio: int) -> str:
    right, words = (scores(results, part, method, ratio, measure) for measure in ("exact", "f1"))
    if right is None or words is None:
        return ""
    return f"{percent(mean(right))} / {100 * words.mean():.1f}"


def _spread(results: Results) -> Iterator[str]:
    yield "## Seeds\n"
    yield "Exact match of each seed, new names and values.\n"
    for method in filed(key[1] for key in results.cells):
        shown = []
        for ratio in sorted({key[2] for key in results.cells if key[1] == method}):
            found = scores(results, NAMES, method, ratio)
            if found is not None and len(found) > 1:
                shown.append(f"{ratio}x " + "/".join(f"{100 * each:.1f}" for each in found.mean(axis=1)))
        if shown:
            yield f"- {label(method)}: {', '.join(shown)}"
    yield ""


def _cost(cost: dict[str, Any]) -> Iterator[str]:
    yield f"## Cost at {cost['ratio']}x\n"
    yield (
        "Counted: operations of the matrix products (two a multiply-add), chunks of 512. Measured: seconds on "
        f"{cost['device']}, {cost['threads']} thread(s), best of three alternating rounds; random weights at the "
        "shapes of larger models.\n"
    )
    for shape, methods in cost["counted"].items():
        measured = cost["measured"].get(shape)
        yield f"**{shape}**\n"
        yield "| context tokens | IC-Former, GFLOP | ICAE, GFLOP | ratio | IC-Former, s | ICAE, s | ratio |"
        yield "|---|---|---|---|---|---|---|"
        for length, own in methods["icformer"].items():
            other = methods["icae"][length]
            row = f"| {length} | {own / 1e9:.3g} | {other / 1e9:.3g} | 1/{other / own:.1f} |"
            if measured and length in measured["icae"]:
                fast, slow = measured["icformer"][length], measured["icae"][length]
                row += f" {fast:.3g} | {slow:.3g} | 1/{slow / fast:.1f} |"
            else:
                row += " not run | not run | |"
            yield row
        yield ""
    if "long" in cost:
        yield from _long(cost["long"])


def _long(found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Chunk after chunk: time grows with the length, memory hardly."""
    yield "**Long contexts in chunks of 512, small model, in this order in one process**\n"
    yield "| method and tokens | s | growth of the process's peak, MiB |"
    yield "|---|---|---|"
    for name, each in found.items():
        yield f"| {name} | {each['seconds']:.2f} | {each['grown']:.0f} |"
    yield ""
