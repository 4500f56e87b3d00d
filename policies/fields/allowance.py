"""What a team or a key may use: how much a minute, and how much a day and a month. Null sets no bound."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from moosproxy.policies.fields.strict import Strict, not_bool

# No budget is larger, and counters that workers share hold 63 bits.
Amount = Annotated[int, Field(ge=0, le=10**15), BeforeValidator(not_bool)]
Dollars = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False), BeforeValidator(not_bool)]
WarnShare = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(not_bool)]


class Limits(Strict):
    """Rates, averaged over a minute that slides."""

    requests_per_minute: Amount | None = None
    """Requests that change or make something; reading (GET, HEAD) is free."""
    tokens_per_minute: Amount | None = None
    """Tokens sent and answered."""


class Budget(Strict):
    """Sums, over days and months of UTC. 0 blocks at once."""

    tokens_per_day: Amount | None = None
    """Tokens sent and answered from midnight to midnight."""
    tokens_per_month: Amount | None = None
    """The same from the first of a month to the next."""
    usd_per_day: Dollars | None = None
    """US dollars from midnight to midnight, at the prices of the models that answered."""
    usd_per_month: Dollars | None = None
    """The same from the first of a month to the next."""
    warn: WarnShare = 0.8
    """Share of a budget from which on answers carry `x-moos-budget-warning`."""


class Allowance(Strict):
    """Both, as the main file, a team and a key may set them."""

    limits: Limits = Limits()
    """Requests and tokens a minute; see its fields below."""
    budget: Budget = Budget()
    """Tokens and money a day and a month; see its fields below."""

    @property
    def bounded(self) -> bool:
        """Whether anything is bounded at all."""
        return self.limits != Limits() or self.money or self._tokens

    @property
    def money(self) -> bool:
        """Whether a budget is in dollars, which needs prices."""
        return (self.budget.usd_per_day, self.budget.usd_per_month) != (None, None)

    @property
    def _tokens(self) -> bool:
        return (self.budget.tokens_per_day, self.budget.tokens_per_month) != (None, None)
