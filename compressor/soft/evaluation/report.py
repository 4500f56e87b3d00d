"""docs/results-soft.md and its plots from results.json and cost.json. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from moosproxy.compressor.evaluation.measures.statistics import Estimate
from moosproxy.compressor.soft.errors import SoftError
from moosproxy.compressor.soft.evaluation import plots
from moosproxy.compressor.soft.evaluation.evaluate import FULL, HARD, NAMES, NONE, Results
from moosproxy.compressor.soft.evaluation.statistics import Scores, lead, mean, share

LABELS: Final = {
    "sac": "SAC",
    "epl": "EPL",
    "500x": "500x-like",
    "icae": "ICAE",
    "icformer": "IC-Former",
    HARD: HARD,
}

_PREFACE = """Written by `moos eval soft run`, `moos eval soft cost` and `moos eval soft report`. Percentages with
95% intervals; questions and seeds are both drawn again (1,000 draws, paired by question)."""


def write(out: Path, docs: Path, note: str = "") -> str:
    """Writes the page and the plots, and says which. Raises SoftError if nothing was measured."""
    results = Results(out / "results.json")
    if not results.cells:
        raise SoftError(f"{out / 'results.json'} holds nothing: run `moos eval soft run` first")
    path = out / "cost.json"
    cost = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    names = plots.draw(results, cost, docs / "plots", scores)
    (docs / "results-soft.md").write_text("\n".join(_page(results, cost, names, note)), encoding="utf-8")
    return f"{docs / 'results-soft.md'} and {len(names)} plots"


def scores(results: Results, part: str, method: str, ratio: int, measure: str = "exact") -> Scores | None:
    """(seeds, questions), or None if it was not measured."""
    rows = [
        getattr(cell, measure) for key, cell in sorted(results.cells.items()) if key[:3] == (part, method, ratio)
    ]
    return np.array(rows, dtype=np.float64) if rows else None


def _page(results: Results, cost: dict[str, Any] | None, names: list[str], note: str) -> Iterator[str]:
    yield "# Results of soft compression\n"
    yield _PREFACE + "\n"
    yield from _setting(results)
    if note:
        yield note + "\n"
    yield from _targets(results, cost)
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
    for method, run in sorted(facts.get("training", {}).items()):
        config = run["config"]
        yield (
            f"- {LABELS[method]}: ratios {', '.join(map(str, config['ratios']))} in one run, chunks of "
            f"{config['chunk']} tokens, {run['text_steps']} steps on text and {run['steps']} on questions, "
            f"{run['tokens']} context tokens and up to {run['asked']} questions a context a step, lr {run['lr']:g}"
        )
    yield ""


def _targets(results: Results, cost: dict[str, Any] | None) -> Iterator[str]:
    """The targets beside what was measured, met or not."""
    yield "## Targets\n"
    full, sac5 = scores(results, NAMES, FULL, 1), scores(results, NAMES, "sac", 5)
    if full is not None and sac5 is not None:
        kept = share(sac5, full)
        yield f"- SAC at 5x keeps {_percent(kept)} of the full context's exact match (target: at least 90)."
    for rival in ("icae", "500x", "epl"):
        leads = []
        for ratio in (5, 15, 51):
            pair = scores(results, NAMES, "sac", ratio), scores(results, NAMES, rival, ratio)
            if pair[0] is not None and pair[1] is not None:
                leads.append(f"{ratio}x {_percent(lead(pair[0], pair[1]))}")
        if leads:
            yield (
                f"- SAC's lead over {LABELS[rival]} in points of exact match"
                f"{'' if rival == 'epl' else ' (target: positive and growing)'}: " + (", ".join(leads) + ".")
            )
    former, icae = scores(results, NAMES, "icformer", 4), scores(results, NAMES, "icae", 4)
    if former is not None and icae is not None and not icae.any():
        yield "- IC-Former at 4x against ICAE: no share, ICAE answered no question exactly (target: at least 90)."
    elif former is not None and icae is not None:
        yield f"- IC-Former at 4x has {_percent(share(former, icae))} of ICAE's exact match (target: at least 90)."
    if cost:
        counted = cost["counted"]["llama-2-7b"]
        first = next(iter(counted["icae"]))
        times = counted["icae"][first] / counted["icformer"][first]
        yield f"- IC-Former's counted arithmetic at the 7B shape is 1/{times:.1f} of ICAE's (target: 1/20)."
    yield ""


def _table(results: Results, part: str) -> Iterator[str]:
    ratios = sorted({key[2] for key in results.cells if key[1] not in (FULL, NONE)})
    yield f"## {part[0].upper()}{part[1:]}\n"
    yield "| exact match / F1 | " + " | ".join(f"{ratio}x" for ratio in ratios) + " |"
    yield "|---" * (len(ratios) + 1) + "|"
    for method, label in LABELS.items():
        cells = [_cell(results, part, method, ratio) for ratio in ratios]
        if any(cells):
            yield f"| {label} | " + " | ".join(cells) + " |"
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
    return f"{_percent(mean(right))} / {100 * words.mean():.1f}"


def _spread(results: Results) -> Iterator[str]:
    yield "## Seeds\n"
    yield "Exact match of each seed, new names and values.\n"
    for method, label in LABELS.items():
        shown = []
        for ratio in sorted({key[2] for key in results.cells if key[1] == method}):
            found = scores(results, NAMES, method, ratio)
            if found is not None and len(found) > 1:
                shown.append(f"{ratio}x " + "/".join(f"{100 * each:.1f}" for each in found.mean(axis=1)))
        if shown:
            yield f"- {label}: {', '.join(shown)}"
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


def _percent(value: Estimate) -> str:
    return f"{100 * value.value:.1f} [{100 * value.low:.1f}, {100 * value.high:.1f}]"
