"""What a caller is told of bounds, in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from moosproxy.proxy.limits.meters import MICRO, Bound

_ASK = "ask whoever runs this proxy for more"


def rate_text(bound: Bound, cost: int, wait_s: float | None) -> str:
    """Of a rate. wait_s: None where the cost never fits."""
    named = f"{bound.name} of {bound.whose} is {bound.limit}"
    if bound.limit == 0:
        return f"{named}: nothing may be sent; {_ASK}."
    if wait_s is None:
        return f"{named}, and this request alone has about {cost} tokens: shorten it, or {_ASK}."
    return f"Rate limit reached: {named}. Try again in {math.ceil(wait_s)} s."


def budget_text(bound: Bound, cost: int, ends: float) -> str:
    """Of a budget. ends: when it begins anew, seconds since 1970."""
    amount = f"{bound.limit / MICRO:g} US dollars" if bound.unit == "usd" else f"{bound.limit} tokens"
    named = f"{bound.name} of {bound.whose} is {amount}"
    if bound.limit == 0:
        return f"{named}: nothing may be spent; {_ASK}."
    again = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if cost > bound.limit:
        return f"{named}, and this request alone has about {cost} tokens: shorten it, or {_ASK}."
    return f"Budget used up: {named}, and what is left does not suffice. It begins anew at {again}, or {_ASK}."
