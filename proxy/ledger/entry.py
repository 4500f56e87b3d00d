"""One row of the ledger, made of what was noted about a request. Holds counts and names, never text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import orjson

from moosproxy.proxy.ledger.counterfactual import Mark, Seen, billed, cost, original_tokens, undisproved
from moosproxy.proxy.ledger.prices import Price
from moosproxy.proxy.observing.names import OTHER, model_name
from moosproxy.proxy.reasons import SkipReason

if TYPE_CHECKING:
    from moosproxy.proxy.ledger.writer import Noted
    from moosproxy.proxy.observing.record import Record
    from moosproxy.proxy.upstreams.usage import Usage

UNREAD = "unread"
"""The kind of a text that no compressor has read."""
PICO = 1000
"""Trillionths in a billionth."""
MOST = 2**44
"""Of tokens, amounts and times of one request; half a million of such add up to less than 64 bits."""
MOST_TEXT = 200
"""Characters of a name."""

PriceOf = Callable[[str, str | None, str | None], Price | None]
"""The price by the upstream's name, the model asked for and the one that answered; None where none is known."""


class Entry(NamedTuple):
    """One request, in the order of the table's columns.

    at: Unix milliseconds of its end. key_id: the first digits of the key's SHA-256. model: asked for; answered: by
    the answer. conversation: a number for the conversation where there is a control group. tokens_*: as we count
    texts. input_tokens to reasoning_tokens: as the provider reports them, None where it does not.
    price: what was used, in words. *_nano: billionths of a dollar. *_us: microseconds. saved_us: at a local model.
    skips, kinds: JSON objects. marks: what was odd, words with commas.
    """

    at: int
    team: str
    key_id: str
    policy: str
    route: str
    door: str
    endpoint: str
    model: str
    answered: str
    upstream: str
    arm: str
    conversation: int | None
    status: int
    error: str
    stream: int
    retries: int
    tokens_before: int
    tokens_sent: int
    tokens_estimated: int
    input_tokens: int | None
    cached_tokens: int | None
    cache_written_tokens: int | None
    cache_written_1h_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    price: str
    billed_nano: int | None
    original_nano: int | None
    total_us: int
    proxy_us: int
    compression_us: int
    upstream_us: int
    saved_us: int
    cache_hits: int
    skips: str
    kinds: str
    marks: str


@dataclass(slots=True)
class Made:
    """An entry with what its sums need beside it."""

    entry: Entry
    skips: Mapping[str, int]
    kinds: Mapping[str, tuple[int, int, int]]
    cacheable: bool
    """Whether a provider would have put the original into its cache."""


def made(noted: Noted, price_of: PriceOf, seen: Seen) -> Made:
    """The row. seen: how far requests of the last minutes began like this one."""
    record, usage = noted.record, noted.record.usage
    price = price_of(record.upstream, record.model, usage.model if usage else None) if record.upstream else None
    # What nobody has answered and no list knows may be anything.
    model = model_name(record.model) if usage or price else OTHER if record.model else ""
    marks = _marks(noted)
    kinds = _kinds(record)
    skips = {SkipReason.ENDPOINT.value: 1} if record.unseen else _without_compressed(record.outcomes)
    paid = what = None
    cacheable = bool(record.upstream)
    if price is not None and usage is not None:
        paid = billed(usage, price)
        marked = record.marked or usage.cached > 0 or usage.written > 0
        tokens = what = None
        if record.answered and record.tokens_after < record.tokens_before:
            mark = Mark(marked, record.marked_to_end)
            whole = original_tokens(usage, price, record.sizes(), seen, mark)
            tokens, what = sum(whole), cost(whole, usage, price)
        what = paid if what is None else what
        tokens = usage.prompt if tokens is None else tokens
        cacheable = tokens >= undisproved(price, usage).rules.least and (price.rules.automatic or marked)
    entry = Entry(
        noted.at_ms,
        record.team or "",
        record.key_id or "",
        record.policy or "",
        record.route or "",
        record.door,
        record.endpoint[:MOST_TEXT],
        model,
        model_name(usage.model) if usage and usage.model else "",
        record.upstream or "",
        record.arm,
        record.conversation,
        record.status,
        record.error or "",
        int(record.stream),
        record.retries,
        record.tokens_before,
        record.tokens_after,
        record.tokens_estimated,
        *_tokens(usage),
        price.label if price and usage else "",
        None if paid is None else _bounded(paid // PICO),
        None if what is None else _bounded(what // PICO),
        _micro(noted.total_s),
        _micro(record.proxy_s),
        _micro(record.compression_ms / 1000),
        _micro(record.upstream_s),
        _saved_us(record, usage),
        len([part for part in record.parts if part.cache is not None]),
        _json(tuple(skips.items())),
        _json(tuple(kinds.items())),
        ",".join(marks),
    )
    return Made(entry, skips, kinds, cacheable and bool(record.openings))


def _marks(noted: Noted) -> list[str]:
    record, usage = noted.record, noted.record.usage
    marks = []
    if noted.clock_jumped:
        marks.append("clock")
    if usage is None and record.status == 200 and record.upstream:
        marks.append("no_usage")
    if usage is not None and usage.odd:
        marks.append("odd_usage")
    if record.disconnected:
        marks.append("disconnected")
    if record.shadow_after is not None:
        marks.append("shadow")
    return marks


def _kinds(record: Record) -> dict[str, tuple[int, int, int]]:
    """Tokens before and sent, and parts, by kind. A text of several kinds counts as a part of each."""
    found: dict[str, tuple[int, int, int]] = {}
    for part in record.parts:
        for kind, before, after in part.kinds or ((UNREAD, part.tokens_before, part.tokens_after),):
            known = found.get(kind, (0, 0, 0))
            sent = before if record.shadow_after is not None else after
            found[kind] = known[0] + before, known[1] + sent, known[2] + 1
    return found


def _without_compressed(outcomes: Mapping[str, int]) -> dict[str, int]:
    return {reason: count for reason, count in outcomes.items() if reason != "compressed"}


def _saved_us(record: Record, usage: Usage | None) -> int:
    """Time that a local model did not read for; what it had read before costs it nothing in either form."""
    if not record.read_per_s or not record.parts or not record.answered:
        return 0
    removed = record.tokens_before - record.tokens_after
    fresh = 1 - usage.cached / usage.prompt if usage and usage.prompt else 1.0
    read = int(removed * fresh / record.read_per_s * 1e6)
    return _bounded(read) - _micro(record.compression_ms / 1000)


def _micro(seconds: float) -> int:
    return max(0, _bounded(int(seconds * 1e6)))


_Counts = tuple[int | None, int | None, int | None, int | None, int | None, int | None]


def _tokens(usage: Usage | None) -> _Counts:
    """As the provider says, in the order of the columns."""
    if usage is None:
        return None, None, None, None, None, None
    return (
        min(usage.prompt, MOST),
        min(usage.cached, MOST),
        min(usage.written, MOST),
        min(usage.written_1h, MOST),
        min(usage.completion, MOST),
        min(usage.reasoning, MOST),
    )


def _bounded(amount: int) -> int:
    return min(amount, MOST)


@lru_cache(maxsize=1024)
def _json(items: tuple[tuple[str, object], ...]) -> str:
    return orjson.dumps(dict(items)).decode() if items else ""
