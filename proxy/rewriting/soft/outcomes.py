"""What became of the texts of a request that a model reads as soft memory, in the form of the rewriter's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moosproxy.proxy.bodies.parts import TextPart
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import PartOutcome, Rewritten, unseen
from moosproxy.proxy.upstreams.soft_told import SoftPart, SoftWish


def softened(
    parts: Sequence[TextPart],
    sent: Mapping[tuple[str | int, ...], str],
    wish: SoftWish,
    told: Sequence[SoftPart],
    shortened: Rewritten | None,
    seconds: float,
) -> Rewritten:
    """The outcomes of all texts. parts: as they came. sent: those that were shortened before, by their paths.

    shortened: what shortening them has made, None where that was not asked for. seconds: of soft compression.
    """
    known = {part.text: part for part in told}
    before = shortened.parts if shortened is not None else [None] * len(parts)
    outcomes = [
        _outcome(part, known.get(sent.get(part.path, part.text)), wish, hard)
        for part, hard in zip(parts, before, strict=True)
    ]
    took_ms = 1000 * seconds + (shortened.compression_ms if shortened is not None else 0.0)
    return Rewritten({}, {}, tuple(outcomes), took_ms)


def untouched(parts: Sequence[TextPart], reason: SkipReason) -> Rewritten:
    """All of them as they came, for one reason."""
    return Rewritten({}, {}, tuple(unseen(part, reason) for part in parts), 0.0)


def _outcome(part: TextPart, soft: SoftPart | None, wish: SoftWish, hard: PartOutcome | None) -> PartOutcome:
    if soft is None:
        reason = SkipReason.TOO_SHORT if part.role in wish.roles else SkipReason.ROLE
        if part.role in wish.roles and part.text in wish.whole:
            reason = SkipReason.EVERY_WORD
        return hard if hard is not None else unseen(part, reason)
    tokens = soft.tokens
    if hard is not None and hard.reason is None and hard.tokens_after:
        # Counted by another tokenizer: its share of what was left out holds for the model's tokens, too.
        tokens = round(tokens * hard.tokens_before / hard.tokens_after)
        if soft.reason is not None:
            return hard._replace(reason=soft.reason, tokens_before=tokens, tokens_after=soft.after, fewer=None)
    return PartOutcome(
        part.message, part.part, part.role, soft.reason, tokens, soft.after, "local" if soft.reused else None
    )
