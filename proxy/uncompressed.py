"""Stands in for the rewriter where compression is switched off for the whole process: nothing is changed."""

from __future__ import annotations

from typing import Any

from policies.model import Policy
from proxy.parts import TextPart, estimate_tokens, find_parts
from proxy.reasons import SkipReason
from proxy.rewrite import Overrides, PartOutcome, Rewritten, Worth


class Uncompressed:
    """Same shape as Rewriter; every part is `disabled`."""

    async def rewrite(
        self,
        body: dict[str, Any],
        policy: Policy,
        team: str | None,
        overrides: Overrides,
        worth: Worth | None = None,
    ) -> Rewritten:
        """The body as it came."""
        return Rewritten(body, False, tuple(_untouched(part) for part in find_parts(body)), 0.0)

    async def compress_text(
        self,
        text: str,
        role: str,
        policy: Policy,
        team: str | None,
        overrides: Overrides,
        model: str | None = None,
    ) -> tuple[str, PartOutcome]:
        """The text as it came."""
        return text, _untouched(TextPart(0, None, role, text))


def _untouched(part: TextPart) -> PartOutcome:
    tokens = estimate_tokens(part.text)
    return PartOutcome(part.message, part.part, part.role, SkipReason.DISABLED, tokens, tokens, None)
