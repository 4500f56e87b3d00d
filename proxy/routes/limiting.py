"""Limits and budgets on a request's way: let in, charged with what it sends, corrected by what was reported."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moosproxy.proxy.limits.gate import Ticket
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.record import Record
from moosproxy.proxy.upstreams.base import RawHeader
from moosproxy.proxy.upstreams.usage import Usage

if TYPE_CHECKING:
    from moosproxy.proxy.routes.guard import Exchange
    from moosproxy.proxy.services import Price

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_FREE = frozenset({"/compress", "/messages/count_tokens", "/responses/input_tokens"})
"""Nothing is generated there, so nothing is spent."""
_RATES = (b"x-ratelimit-", b"anthropic-ratelimit-")
_BYTES_A_TOKEN = 4


async def enter(exchange: Exchange) -> None:
    """Counts the request where something bounds its caller. Raises RateLimited, BudgetExceeded."""
    services, caller = exchange.services, exchange.caller
    account = services.gate.account(services.policies.current, caller.team, caller.key)
    if account is None or exchange.record.method in _READING:
        return
    exchange.ticket = Ticket(services.gate.tally, account)
    await exchange.ticket.enter(spends=_spends(exchange))


async def charge(exchange: Exchange, parsed: dict[str, Any] | None) -> None:
    """Counts the tokens that are about to be sent. Raises RateLimited, BudgetExceeded.

    parsed: the body; what nobody has counted is estimated from its bytes.
    """
    if exchange.ticket is None or not _spends(exchange):
        return
    tokens = exchange.record.tokens_after
    if exchange.record.unseen and parsed is not None:
        tokens = len(exchange.body) // _BYTES_A_TOKEN
    await exchange.ticket.charge(tokens)


def settle(ticket: Ticket, record: Record, price: Price) -> None:
    """What the request has used, as the provider reports it, else estimated; an error uses nothing."""
    used = _used(ticket, record)
    dollars = None
    if ticket.account.usd:
        try:
            dollars = price(record, used)
        except Exception:
            LOG.exception("a request has no price", extra={"fields": {"request_id": record.request_id}})
    ticket.settle(used.prompt + used.completion, dollars)


def _used(ticket: Ticket, record: Record) -> Usage:
    """Errors of provider and proxy are free. A client that leaves early has made the provider work."""
    left = record.disconnected and record.first_byte_s is None
    if record.usage is None:
        failed = record.status >= 400 and not record.stream and not left
        return Usage(0, 0, 0) if failed else Usage(ticket.tokens, ticket.answered, 0)
    if record.disconnected or record.error is not None:  # what was answered by then is reported at the end alone
        return replace(record.usage, completion=max(record.usage.completion, ticket.answered))
    return record.usage


def head(exchange: Exchange, raw: list[RawHeader]) -> list[RawHeader]:
    """The answer's headers with what is left of rates, and with warnings of budgets.

    The provider's own rates are those of everybody's account, so they go where the caller has rates of its own.
    """
    ticket = exchange.ticket
    if ticket is None:
        return raw
    now = time.time()
    standings = ticket.standings(now)
    if standings:
        raw = [(name, value) for name, value in raw if not name.startswith(_RATES)]
        raw += exchange.way.door.rates(standings, now)
    warnings = ticket.warnings(now)
    if warnings:
        told = [f"{meter.bound.name} of {meter.bound.whose}: {percent}% used" for meter, percent in warnings]
        raw = [*raw, (b"x-moos-budget-warning", "; ".join(told).encode("ascii", "backslashreplace"))]
        for meter, _ in warnings:
            exchange.services.metrics.budget_warning(exchange.caller.team, meter.bound.name)
    if exchange.services.gate.tally.alone is not None:
        raw = [*raw, (b"x-moos-limits", b"local")]
    return raw


def _spends(exchange: Exchange) -> bool:
    return exchange.way.plain not in _FREE and exchange.record.method not in _READING
