"""What is read out of a ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Arm = Literal["compressed", "holdout", "off"]
"""`holdout`: of the control group. `off`: nothing may be shortened, by the policy, a header or the endpoint."""
OTHER = "other"
"""Stands for names beyond the bound of groups in an hour."""


@dataclass(frozen=True, slots=True)
class HourRow:
    """The sums of one hour over requests that have the names in common.

    hour: Unix second at which it begins. tokens_before, tokens_sent: of text parts, as we count them.
    input_tokens to reasoning_tokens: as the provider reports them. priced: requests with usage and a price; the
    amounts in US dollars are theirs, None where there is none. saved_usd: original less billed, may be negative.
    seconds, compression_s: of all requests together. saved_s: time saved at local models. retries: requests that
    a client's library sent again. skips: text parts by the reason that left them alone.
    """

    hour: int
    team: str
    policy: str
    route: str
    door: str
    model: str
    upstream: str
    arm: str
    requests: int
    errors: int
    retries: int
    priced: int
    tokens_before: int
    tokens_sent: int
    input_tokens: int
    cached_tokens: int
    cache_written_tokens: int
    output_tokens: int
    reasoning_tokens: int
    billed_usd: Decimal | None
    original_usd: Decimal | None
    seconds: float
    compression_s: float
    saved_s: float
    cache_hits: int
    skips: dict[str, int] = field(default_factory=dict)

    @property
    def saved_usd(self) -> Decimal | None:
        """What the original requests would have cost, less what was billed."""
        if self.billed_usd is None or self.original_usd is None:
            return None
        return self.original_usd - self.billed_usd


@dataclass(frozen=True, slots=True)
class KindRow:
    """Tokens of text parts of a kind before and as sent: prose, code, json ..., `unread` where nobody looked."""

    kind: str
    tokens_before: int
    tokens_sent: int
    parts: int


def usd(nano: int | None) -> Decimal | None:
    """Billionths of a dollar as dollars."""
    return None if nano is None else Decimal(nano).scaleb(-9)
