"""What of a request bears on its price at a provider: where it begins, and how long it must stay to be cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b

from moosproxy.policies.model import Policy
from moosproxy.proxy.bodies.parts import TextPart, estimate_tokens
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.asked import ratio_of
from moosproxy.proxy.rewriting.outcome import Overrides

OPENING_CHARS = 2048
"""No provider caches less than 1,024 tokens, and two characters a token are few in any text."""
_STEP = 1.15
_FAR = 64 * 1024
"""Characters beyond which nobody looks."""
_INTO = 256
"""So far into a text it is told whether it begins like another."""
_POINTS = 64
_SURE = 1.25
"""Tokens are estimated here: so many times the least must be left."""


def openings_of(team: str | None, model: str | None, parts: Sequence[TextPart]) -> tuple[tuple[int, float], ...]:
    """Numbers for the beginnings of a prompt, from 2,048 characters on, each with its share of all texts.

    Two requests have a number in common where they begin alike, for the same team and model. Empty for a short
    prompt. Odd numbers stand at the end of a text. They say nothing of it, and are forgotten within minutes.
    """
    whole = sum(len(part.text) for part in parts)
    if whole < OPENING_CHARS:
        return ()
    state = blake2b(f"{team}\0{model}".encode("utf-8", "surrogatepass"), digest_size=8)
    found: list[tuple[int, float]] = []
    done = 0
    for begin, text, place in _places(parts):
        state.update(text[max(0, done - begin) : place - begin].encode("utf-8", "surrogatepass"))
        done = place
        if place >= OPENING_CHARS:
            number = int.from_bytes(state.digest(), "big") >> 1 & ~1
            found.append((number | (place == begin + len(text)), place / whole))
    return tuple(found[:_POINTS])


def _places(parts: Sequence[TextPart]) -> Iterator[tuple[int, str, int]]:
    """In each text, with where it begins, the places to look at: near its beginning, at growing steps, its end."""
    begin, step = 0, float(OPENING_CHARS)
    for part in parts:
        end = begin + len(part.text)
        inside = {begin + _INTO} if len(part.text) > _INTO else set()
        while step < end:
            inside.add(int(step))
            step *= _STEP
        for place in sorted({*inside, end} - {begin}):
            if place > _FAR:
                return
            yield begin, part.text, place
        begin = end


class WorthItsMoney:
    """Leaves texts alone, from the beginning of a prompt on, until what is sent is long enough to be cached.

    Reads only what stands before a text and the text itself, so a later turn comes to the same.
    """

    def __init__(self, policy: Policy, overrides: Overrides) -> None:
        self._least = overrides.cache_least * _SURE
        self._ratio = ratio_of(policy, overrides.ratio)
        self._sent = 0.0

    def judged(self, part: TextPart, reason: SkipReason | None) -> SkipReason | None:
        """The reason to leave a text alone: the given one, or that shortening it may cost more."""
        if self._sent >= self._least:
            return reason
        tokens = estimate_tokens(part.text)
        if reason is None and self._sent + tokens / self._ratio < self._least:
            reason = SkipReason.NOT_WORTH_IT
        self._sent += tokens if reason else tokens / self._ratio
        return reason
