"""Stands in for the rewriter where compression is switched off for the whole process: nothing is changed."""

from __future__ import annotations

from typing import Any

from moosproxy.policies.model import Policy
from moosproxy.proxy.doors.base import Door
from moosproxy.proxy.doors.chat import DOOR as CHAT
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
        door: Door = CHAT,
    ) -> Rewritten:
        """The body as it came."""
        return Rewritten(body, {}, tuple(unseen(part, SkipReason.DISABLED) for part in door.find(body)), 0.0)
