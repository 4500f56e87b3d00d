"""What a request would have cost as it came, told from what was billed for it as it went out.

The rule stands in docs/money.md, with examples. It errs on the low side: where two answers are possible, the one
counts that makes the original cheaper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from moosproxy.proxy.ledger.prices import Price, Rules
from moosproxy.proxy.upstreams.usage import Usage

Sizes = Sequence[tuple[int, int, bool]]
"""Of each text in the order of the prompt: tokens before, tokens sent, and whether they were counted."""

_NEAR = 64
"""Tokens by which the end of a text may lie beside the place that the provider read up to, and a third of what is
behind it: most texts there are estimated, and calls of tools have no text."""
_MORE = 1.06
"""So many times what the provider read is more than it read, and no matter of how texts were estimated."""
_MARGIN = 0.625
"""How far into its last, uncounted step the provider's cache is taken to reach: half of it is the mean."""


class Tokens(NamedTuple):
    """A prompt by what its tokens are billed as."""

    plain: int
    cached: int
    written: int
    written_1h: int

    def cost(self, price: Price) -> int:
        """Trillionths of a dollar."""
        return (
            self.plain * price.input
            + self.cached * price.cached
            + self.written * price.written
            + self.written_1h * price.written_1h
        )


def billed(usage: Usage, price: Price) -> int:
    """What the request cost, in trillionths of a dollar."""
    return cost(_sent(usage), usage, price)


class Seen(NamedTuple):
    """How far the original begins like another request of the last minutes, as shares of its texts.

    sure: at least so far. reach: not beyond here. ended: so far in whole texts.
    """

    sure: float = 0.0
    reach: float = 0.0
    ended: float = 0.0


class Mark(NamedTuple):
    """Whether a request asks for caching, where that must be asked for, and whether up to its end."""

    anywhere: bool = False
    at_end: bool = False


def cost(whole: Tokens, usage: Usage, price: Price) -> int:
    """What a prompt and the answer that there was would have cost, in trillionths of a dollar."""
    price = price.at(sum(whole))
    return whole.cost(price) + usage.completion * price.output


def original_tokens(usage: Usage, price: Price, sizes: Sizes, seen: Seen, mark: Mark) -> Tokens:
    """The original prompt's tokens by what they would have been billed as."""
    sent, price = _sent(usage), undisproved(price, usage)
    removed, parted = _removed(usage, price, sizes)
    if not any(removed):
        return sent
    whole = Tokens(*(have + gone for have, gone in zip(sent, removed, strict=True)))
    total, rules = sum(whole), price.rules
    short = usage.prompt < rules.least <= total  # too short to be cached as sent; the original was long enough
    if not rules.automatic:
        known = _steps(int(total * seen.ended), rules)
        if mark.anywhere and known > whole.cached * _MORE:
            whole = _read_before(whole, known)
        if short and mark.at_end and not seen.sure and total > rules.least * _MORE:
            whole = Tokens(0, whole.cached, whole.plain, 0)
        return whole
    reach = _steps(int(total * seen.reach), rules)
    if short:
        return _read(total, reach)
    cached = whole.cached  # what was read as sent would have been read as it came
    if removed.cached:
        cached = max(sent.cached, _steps(min(total, cached + int(rules.step * _MARGIN)), rules))
    if cached * _MORE + rules.step < int(total * seen.sure) or parted:
        cached = max(cached, reach)  # what had been read as it came was cut in another way this time
    return _read(total, cached)


def undisproved(price: Price, usage: Usage) -> Price:
    """The price with the cache's rules as far as the answer does not disprove them: what was read can be read."""
    rules, cached = price.rules, usage.cached
    if not cached or (cached >= rules.least and not cached % rules.step):
        return price
    step = 1 if cached % rules.step else rules.step
    return replace(price, rules=replace(rules, step=step, least=min(rules.least, cached)))


def _steps(tokens: int, rules: Rules) -> int:
    return tokens // rules.step * rules.step if tokens >= rules.least else 0


def _read(total: int, cached: int) -> Tokens:
    return Tokens(total - cached, cached, 0, 0)


def _read_before(whole: Tokens, cached: int) -> Tokens:
    """With so many tokens from the cache; what was written and what was plain keep their end."""
    left = cached - whole.cached
    long = min(left, whole.written_1h)
    short = min(left - long, whole.written)
    return Tokens(
        max(0, whole.plain - (left - long - short)), cached, whole.written - short, whole.written_1h - long
    )


def _sent(usage: Usage) -> Tokens:
    written = max(0, min(usage.written, usage.prompt - usage.cached))
    long = min(usage.written_1h, written)
    return Tokens(max(0, usage.prompt - usage.cached - written), usage.cached, written - long, long)


def _removed(usage: Usage, price: Price, sizes: Sizes) -> tuple[Tokens, bool]:
    """The tokens that were left out, by what their part of the prompt was billed as, and whether the cache's place
    lies within a text.

    A prompt is read from the cache up to a place, written up to a second one, and plain from there. Places are
    found from the end: what is behind them is short, and its estimate good.
    """
    counted = sum(after for _, after, known in sizes if known)
    # Where we counted more than the provider did in all, its tokens are larger than ours.
    scale = min(1.0, usage.prompt / counted) if counted else 1.0
    half = price.rules.step // 2
    first = _place(sizes, usage.prompt - usage.cached - half) if usage.cached else _Place(0, 0.0)
    second = _place(sizes, usage.prompt - usage.cached - usage.written) if usage.written else first
    cached = written = plain = 0.0
    for at, (before, after, _) in enumerate(sizes):
        gone = max(0, before - after) * scale
        read, put = first.share(at), second.share(at)
        if not price.rules.automatic:
            read = float(read > 0)  # marks stand at ends of texts; in doubt it was read
        cached += gone * read
        written += gone * max(0.0, put - read)
        plain += gone * (1 - max(read, put))
    long = int(written * usage.written_1h / usage.written) if usage.written else 0
    return Tokens(int(plain), round(cached), int(written) - long, long), first.within > 0


class _Place(NamedTuple):
    """A place in the prompt: behind so many texts, and within the next one as far as this share of it."""

    texts: int
    within: float

    def share(self, at: int) -> float:
        """How much of a text lies before it."""
        return 1.0 if at < self.texts else self.within if at == self.texts else 0.0


def _place(sizes: Sizes, behind: int) -> _Place:
    """The place behind which there are so many tokens: the end of a text if one is near."""
    tails = [0]
    for _, after, _ in reversed(sizes):
        tails.append(tails[-1] + after)
    tails.reverse()
    nearest = min(range(len(tails)), key=lambda at: (abs(tails[at] - behind), -at))
    if abs(tails[nearest] - behind) <= _NEAR + max(tails[nearest], behind) / 3:
        return _Place(nearest, 0.0)
    texts = sum(tail >= behind for tail in tails) - 1
    if texts < 0:  # in front of all texts: among tools, or in the template
        return _Place(0, 0.0)
    after = sizes[texts][1] if texts < len(sizes) else 0
    return _Place(texts, (tails[texts] - behind) / after if after else 0.0)
