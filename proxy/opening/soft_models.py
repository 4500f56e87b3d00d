"""Models of kind `transformers` at start: their files are looked at, and readiness says what it saw."""

from __future__ import annotations

import asyncio
from pathlib import Path

from moosproxy.policies.resolve import PolicySet
from moosproxy.proxy.log import LOG
from moosproxy.proxy.observing.readiness import Check
from moosproxy.proxy.services import PolicySource
from moosproxy.proxy.upstreams.transformers.checking import faults

_LOOK_S = 1.0


class SoftModels:
    """Follows the policies in force. Belongs to one event loop."""

    def __init__(self, source: PolicySource, state: Path | None) -> None:
        """state: where what GGUF files hold is kept."""
        self._source = source
        self._state = state
        self._seen: PolicySet | None = None
        self._faults: list[str] = []

    async def run(self) -> None:
        """For ever: looks at the models, again with every change. GGUF files are dequantised by that."""
        while True:
            policies = self._source.current
            if policies is not self._seen:
                self._faults, self._seen = await self._look(policies), policies
                for fault in self._faults:
                    LOG.warning("soft compression is not possible", extra={"fields": {"reason": fault}})
            await asyncio.sleep(_LOOK_S)

    async def _look(self, policies: PolicySet) -> list[str]:
        if not _any(policies):
            return []
        try:
            return await asyncio.to_thread(faults, policies, self._state)
        except Exception as fault:  # a damaged file of a kind that nobody has thought of: the proxy serves on
            return [f"the models could not be looked at: {type(fault).__name__}"]

    async def check(self) -> Check:
        """Whether soft compression can do what the policies ask."""
        current = self._source.current
        if not _any(current):
            return Check("off")
        if self._faults:
            return Check("degraded", "; ".join(self._faults))
        return Check("ok", "" if self._seen is current else "being looked at")


def _any(policies: PolicySet) -> bool:
    return any(upstream.hf_models for upstream in policies.upstreams.values())
