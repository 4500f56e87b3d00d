"""The targets beside what was measured, met or not, and the order of the methods beside the published one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from moosproxy.compressor.soft.evaluation.evaluate import FULL, NAMES, WORDING, Results
from moosproxy.compressor.soft.evaluation.naming import filed, label
from moosproxy.compressor.soft.evaluation.statistics import lead, mean, percent, scores, share

# At 15x on real models, F1 within the domain: 55.0, 51.5, 44.5 (arXiv 2510.08907).
# IC-Former was published beside ICAE only, at 90% of it or more.
_ORDER: Final = ("SAC", "EPL", "ICAE")


def targets(results: Results, cost: dict[str, Any] | None) -> Iterator[str]:
    """A section of the page."""
    yield "## Targets\n"
    yield from _of_full(results, "icformer", 4, NAMES, "at least 95")
    yield from _of_full(results, "icformer", 4, WORDING, "at least 80")
    yield from _of_full(results, "icformer", 15, NAMES, "at least 50")
    yield from _of_full(results, "sac", 5, NAMES, "at least 95")
    yield from _leads(results)
    seen, new = scores(results, NAMES, "sac", 5), scores(results, WORDING, "sac", 5)
    if seen is not None and new is not None:
        kept = percent(share(new, seen))
        yield f"- SAC: new wording has {kept} of the exact match of seen wording at 5x (target: at least 70)."
    if cost:
        yield from _costs(cost)
    yield ""


def order(results: Results) -> Iterator[str]:
    """The methods from best to worst at every ratio, and what was published."""
    yield "## Order\n"
    yield f"Published at 15x, real models: {' > '.join(_ORDER)}. Found here, exact match, new names and values:\n"
    for ratio in sorted({key[2] for key in results.cells if key[1] in filed([key[1]])}):
        found = [
            (mean(each).value, label(method))
            for method in filed(key[1] for key in results.cells)
            if (each := scores(results, NAMES, method, ratio)) is not None
        ]
        shown = ", ".join(f"{name} {100 * value:.1f}" for value, name in sorted(found, reverse=True))
        yield f"- {ratio}x: {shown}"
    yield ""


def _of_full(results: Results, method: str, ratio: int, part: str, wanted: str) -> Iterator[str]:
    full = scores(results, part, FULL, 1)
    for name in (method, f"{method} at {ratio}x alone"):
        own = scores(results, part, name, ratio)
        if full is not None and own is not None:
            kept = percent(share(own, full))
            what = f"{label(name)}: {kept} of the full context's exact match at {ratio}x"
            yield f"- {what}, {part} (target: {wanted})."


def _leads(results: Results) -> Iterator[str]:
    for rival in filed(key[1] for key in results.cells if key[1].startswith(("icae", "500x", "epl"))):
        leads = []
        for ratio in (5, 15, 51):
            own, other = scores(results, NAMES, "sac", ratio), scores(results, NAMES, rival, ratio)
            if own is not None and other is not None:
                leads.append(f"{ratio}x {percent(lead(own, other))}")
        if leads:
            wanted = " (target: at 15x and 51x at least level)" if rival == "epl" else ""
            yield f"- SAC's lead over {label(rival)} in points of exact match{wanted}: {', '.join(leads)}."


def _costs(cost: dict[str, Any]) -> Iterator[str]:
    for shape, times in cost["measured"].items():
        if "135m" in shape:
            length = max(times["icae"], key=int)
            ratio = times["icae"][length] / times["icformer"][length]
            yield (
                f"- IC-Former takes 1/{ratio:.1f} of ICAE's time at the shape of {shape}, {length} tokens "
                "(target: at most 1/5)."
            )
    counted = cost["counted"]["llama-2-7b"]
    first = next(iter(counted["icae"]))
    times = counted["icae"][first] / counted["icformer"][first]
    yield f"- IC-Former's counted arithmetic at the 7B shape is 1/{times:.1f} of ICAE's (target: at most 1/20)."
