"""What a request may ask of its rewriting, and what became of its texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from moosproxy.proxy.bodies.parts import TextPart, estimate_tokens, replaced
from moosproxy.proxy.bodies.splice import Path
from moosproxy.proxy.cache.cut import Kinds, Limit
from moosproxy.proxy.cache.shared import Layer
from moosproxy.proxy.reasons import SkipReason

Worth = Callable[[int, float], bool]
"""Whether a text of so many estimated tokens is worth shortening by a ratio; see `proxy.rewriting.break_even`."""


class Overrides(NamedTuple):
    """What the request itself asks for, already kept within what the policy allows, and what it is met with.

    holdout: its conversation goes untouched. cache_least: tokens that a prompt should not fall below.
    """

    bypass: bool = False
    ratio: float | None = None
    alpha: float | None = None
    holdout: bool = False
    cache_least: int = 0


class PartOutcome(NamedTuple):
    """What became of one text. reason: None if it was compressed.

    message, part: as in TextPart. cache: the layer that had the answer, None if it was made for this request.
    limit: what kept the ratio more than a tenth below the asked one.
    kinds: of text, with their tokens before and after; empty where nobody looked.
    fewer: tokens that were left out at least, where the counts are not by the model's own tokenizer.
    tokens_before, tokens_after: counted where the compressor saw the text, else estimated (and equal).
    """

    message: int | str
    part: int | str | None
    role: str
    reason: SkipReason | None
    tokens_before: int
    tokens_after: int
    cache: Layer | None
    estimated: bool = False
    limit: Limit | None = None
    kinds: Kinds = ()
    fewer: int | None = None


class Rewritten(NamedTuple):
    """What was done to a body.

    original: the body as it came. changes: its texts that go out in another form, by their paths.
    shadow: the outcomes tell what compression would have done, nothing is changed.
    compression_ms: wall-clock time from the first look at the body to the last answer.
    openings: how the original begins, as numbers, each with the share of its texts that it stands for; of prompts
    that a provider may cache.
    """

    original: Mapping[str, Any]
    changes: Mapping[Path, str]
    parts: tuple[PartOutcome, ...]
    compression_ms: float
    shadow: bool = False
    openings: tuple[tuple[int, float], ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything goes out in another form."""
        return bool(self.changes)

    @property
    def body(self) -> dict[str, Any]:
        """The body to send: a new top-level dict; whatever was not changed is shared with the old one."""
        return replaced(self.original, self.changes)

    @property
    def tokens_before(self) -> int:
        """Of all texts together."""
        return sum(part.tokens_before for part in self.parts)

    @property
    def tokens_after(self) -> int:
        """Of all texts together."""
        return sum(part.tokens_after for part in self.parts)

    @property
    def ratio(self) -> float:
        """tokens_before / tokens_after; 1 where there is no text."""
        return self.tokens_before / self.tokens_after if self.tokens_after else 1.0

    @property
    def cache_hits(self) -> int:
        """Texts whose answer came from either layer."""
        return sum(part.cache is not None for part in self.parts)


def unseen(part: TextPart, reason: SkipReason) -> PartOutcome:
    """The outcome of a text that was left alone at sight: its tokens are estimated."""
    tokens = estimate_tokens(part.text)
    return PartOutcome(part.message, part.part, part.role, reason, tokens, tokens, None, estimated=True)
