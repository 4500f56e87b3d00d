"""The section of docs/results.md about quality floors, from docs/floor.json. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator

from moosproxy.compressor.evaluation.floors import Floors
from moosproxy.compressor.evaluation.reporting.tables import rows

_ABOVE = """## A floor instead of a ratio

Written by `moos eval floor` and `moos eval report`: what `quality` in a policy does, on sets that the calibration
never saw. *predicted* is what it says of the texts, *measured* what is kept of their answers (95% interval,
bootstrap over texts; `qmsum_test`: content words of the reference answer), *ratio* tokens of all texts before and
after. *one ratio for all* is the highest single ratio that keeps the measured share, between two of those below by
a straight line. How it works: [quality.md](quality.md)."""


def section(found: Floors) -> str:
    """Two tables: floors, and fixed ratios beside them."""
    facts = found.facts
    made = f"Checkpoint `{facts['checkpoint']}`; calibrated on {facts.get('from')} by: {facts.get('kept')}."
    head = ["set", "texts", "floor", "predicted", "measured", "ratio", "one ratio for all", "left whole"]
    asked = [f"{ratio:g}x" for ratio, _, _ in found.sets[0].fixed] if found.sets else []
    return "\n\n".join(
        [
            _ABOVE,
            made,
            rows(head, _floors(found)),
            "Fixed ratios on the same texts: what is kept, and the ratio that was reached.",
            rows(["set", *asked], _fixed(found)),
        ]
    )


def _floors(found: Floors) -> Iterator[list[str]]:
    for one in found.sets:
        for at in one.floors:
            measured = f"{100 * at.measured:.1f} [{100 * at.low:.1f}, {100 * at.high:.1f}]"
            yield [
                one.name,
                str(one.texts),
                f"{at.floor:g}",
                f"{100 * at.predicted:.1f}",
                measured,
                f"{at.ratio:.2f}x",
                f"{at.fixed:.2f}x",
                f"{100 * at.whole:.0f}%",
            ]


def _fixed(found: Floors) -> Iterator[list[str]]:
    for one in found.sets:
        yield [one.name, *(f"{100 * kept:.1f} ({reached:.2f}x)" for _, reached, kept in one.fixed)]
