"""Lets requests in while their team and key have something left, and notes what they used."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from moosproxy.policies.keys import Key
from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.doors.base import Standing
from moosproxy.proxy.errors import BudgetExceeded, ProxyError, RateLimited
from moosproxy.proxy.limits.meters import MICRO, Account, Meter
from moosproxy.proxy.limits.periods import MINUTE_S
from moosproxy.proxy.limits.tally import Counter, Tally
from moosproxy.proxy.limits.told import budget_text, rate_text

_HELD = 10_000


class Gate:
    """All bounds of one process."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._policies: PolicySet | None = None
        self._accounts: dict[tuple[str | None, str | None], Account | None] = {}

    def account(self, policies: PolicySet, team: str | None, key: Key | None) -> Account | None:
        """What bounds a caller, None where nothing does."""
        if policies is not self._policies or len(self._accounts) >= _HELD:
            self._policies = policies
            self._accounts.clear()
        name = team, key.id if key is not None else None
        try:
            return self._accounts[name]
        except KeyError:
            bounded = team is not None or key is None  # a key of the main file has bounds of its own alone
            allowance = policies.allowances.get(team) if bounded else None
            made = self._accounts[name] = Account.of(self.tally, team, allowance, key)
            return made


class Ticket:
    """One request that was let in."""

    __slots__ = ("_charged", "_tally", "account", "answered", "settled", "tokens")

    def __init__(self, tally: Tally, account: Account) -> None:
        self._tally = tally
        self.account = account
        self.tokens = 0
        """Counted at entry."""
        self.answered = 0
        """Events of the answer's stream: about as many tokens, where nobody counts them."""
        self._charged: list[tuple[Meter, Counter, int]] = []

    async def enter(self, *, spends: bool) -> None:
        """Counts one request. spends: whether it leads to tokens and money.

        Raises RateLimited or BudgetExceeded, and has then counted nothing.
        """
        now = time.time()
        if spends:
            if self.account.usd:
                await self._hear(self.account.usd, now)
            for meter in (*self.account.tokens, *self.account.usd):  # before the work of compression
                if meter.used(now) >= meter.limit(now):
                    raise refusal(meter, 1, now)
        await self.take(self.account.requests, 1)

    async def charge(self, tokens: int) -> None:
        """Counts what is about to be sent. Raises RateLimited or BudgetExceeded, and has then counted no tokens.

        The request stays counted: it has been read and shortened, which is what its rate is there to bound.
        """
        self._charged = await self.take(self.account.tokens, tokens)
        self.tokens = tokens

    def settle(self, tokens: int, dollars: float | None) -> None:
        """What the request used in the end, in place of what was counted at entry."""
        now, more = time.time(), tokens - self.tokens
        if more:
            for meter, counter, _ in self._charged:
                self._tally.correct(counter, more, meter.bound.limit, now)
        self._charged = []
        if dollars:
            for meter in self.account.usd:
                self._tally.correct(meter.at(now), round(dollars * MICRO), meter.bound.limit, now)

    async def _hear(self, meters: Sequence[Meter], now: float) -> None:
        """Of the others, as money has no charge at entry that would ask for it."""
        old = [counter for counter in (meter.at(now) for meter in meters) if counter.stale(now)]
        for counter in old:
            self._tally.touch(counter)
        if old:
            await self._tally.ask()

    async def take(self, meters: Sequence[Meter], cost: int) -> list[tuple[Meter, Counter, int]]:
        """Counts a cost on each, and gives each one's counter and our place on it. Raises as enter() does."""
        now, tally, taken = time.time(), self._tally, []
        refused, unsure = None, False
        for meter in meters:
            counter = meter.at(now)
            place = tally.add(counter, cost)
            taken.append((meter, counter, place))
            sure = tally.sure(counter, place, meter.limit(now), now)
            if sure is None:
                unsure = True
            elif not sure:
                refused = refused or meter
        if unsure and refused is None:
            await tally.ask()
            over = (each for each, counter, place in taken if tally.used(counter, place) > each.limit(now))
            refused = next(over, None)
        if refused is not None:
            for _, counter, _ in taken:
                tally.take_back(counter, cost)
            raise refusal(refused, cost, now)
        return taken

    def standings(self, now: float) -> list[Standing]:
        """Of requests and of tokens a minute, of whichever bound has the least left."""
        found = []
        for meters in self.account.rates:
            meter, left = meters[0], meters[0].left(now)
            for other in meters[1:]:
                if other.left(now) < left:
                    meter, left = other, other.left(now)
            found.append(Standing(meter.bound.unit, meter.bound.limit, left, meter.counter.ends))
        return found

    def warnings(self, now: float) -> list[tuple[Meter, int]]:
        """Budgets of which the share to warn at is used, with the percentage."""
        near = [(meter, used) for meter in self.account.budgets if (used := meter.used(now)) >= meter.warn_at]
        return [(meter, math.floor(used / meter.bound.limit * 100)) for meter, used in near]


def refusal(meter: Meter, cost: int, now: float) -> ProxyError:
    """Why a cost is too much, and when it may come again."""
    wait_s = meter.wait_s(cost, now)
    if meter.bound.warn is None:
        wait_s = min(wait_s, MINUTE_S) if wait_s is not None else None  # clients heed no more than a minute
        text = rate_text(meter.bound, cost, wait_s)
        return RateLimited(text, meter.bound.unit, meter.bound.name, wait_s)
    return BudgetExceeded(budget_text(meter.bound, cost, meter.counter.ends), meter.bound.name, wait_s)
