"""Stands in for the rewriter where compression is switched off for the whole process: nothing is changed."""

from __future__ import annotations

from typing import Any

from moosproxy.policies.model import Policy
from moosproxy.proxy.bodies.parts import find_parts
from moosproxy.proxy.reasons import SkipReason
from moosproxy.proxy.rewriting.outcome import Overrides, Rewritten, Worth, unseen


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
        return Rewritten(body, False, tuple(unseen(part, SkipReason.DISABLED) for part in find_parts(body)), 0.0)
