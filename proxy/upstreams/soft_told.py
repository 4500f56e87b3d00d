"""What is asked of a model that reads long texts as soft memory, and what became of each. Values only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from moosproxy.proxy.reasons import SkipReason


@dataclass(frozen=True, slots=True)
class SoftPart:
    """One long text. reason: why it is read as text after all, None where it became memory.

    tokens: of the text, in the model's own. after: vectors that it became, or tokens where it stayed text.
    reused: nothing had to be computed for it.
    """

    text: str
    reason: SkipReason | None
    tokens: int
    after: int
    reused: bool = False


SoftTold = Callable[[Sequence[SoftPart], float], None]
"""Takes the long texts of a request, and the seconds that compressing them took, before the answer begins."""


def _nobody(parts: Sequence[SoftPart], seconds: float) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SoftWish:
    """Texts of these roles and at least `min_tokens` tokens become soft memory.

    ratio: the policy's or the request's own; whether it was trained shows when it is used. reject: never as text
    instead. whole: texts that stay text, since what is asked of them needs every word.
    """

    method: str
    ratio: float
    min_tokens: int
    roles: frozenset[str]
    reject: bool
    whole: frozenset[str] = field(default=frozenset(), repr=False)
    tell: SoftTold = field(default=_nobody, compare=False)
