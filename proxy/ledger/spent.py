"""What a finished request has cost, for budgets in money."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from moosproxy.policies.model import Upstream
from moosproxy.proxy.ledger.counterfactual import billed
from moosproxy.proxy.ledger.prices import PriceBook
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.names import model_name
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.upstreams.usage import Usage

_TRILLION = 1e12
_TOLD = 100


class Spent:
    """Called with a record and its tokens, as reported or estimated: US dollars, None where no price is known.

    A model without a price is told once in the log: a budget in money does not hold for it.
    """

    def __init__(self, book: PriceBook, upstreams: Callable[[], Mapping[str, Upstream]]) -> None:
        """upstreams: those of the policies in force."""
        self._book, self._upstreams = book, upstreams
        self._told: set[str] = set()

    def __call__(self, record: Record, usage: Usage) -> float | None:
        upstream = self._upstreams().get(record.upstream or record.tried or "")
        if upstream is None:
            return None
        price = self._book.of(upstream, record.model, usage.model)
        if price is None:
            self._tell(model_name(record.model), upstream.name)
            return None
        return billed(usage, price) / _TRILLION

    def _tell(self, model: str, upstream: str) -> None:
        if model not in self._told and len(self._told) < _TOLD:
            self._told.add(model)
            fields = {"model": model, "upstream": upstream}
            text = "no price, so budgets in money do not count it: name one under the upstream's prices"
            LOG.warning(text, extra={"fields": fields})
