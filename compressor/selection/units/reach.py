"""What a text can save at most, known before the model runs."""

from __future__ import annotations

from moosproxy.compressor.planning.plan import Plan
from moosproxy.compressor.selection.units.collected import bare_tokens, collect

MARGIN = 1.25
"""Words are counted one by one and the white space between them with neither: the sum may be so far off."""


def most_saved(plan: Plan) -> float:
    """The largest share of the text's tokens, in [0, 1], that may go whatever the scores say; 1 where words do."""
    total = int(plan.costs.sum())
    if not plan.pieces or not total:
        return 1.0
    units = collect(plan)
    fixed = units.fixed()
    loose = int(units.whole[~fixed].sum() + (units.whole - units.cost)[fixed].sum())
    bare = bare_tokens(plan)
    if bare is None or plan.counter is None:
        return min(MARGIN * loose / total, 1.0)
    before = plan.counter.count(plan.text)
    return min((before - bare + MARGIN * loose) / before, 1.0)
