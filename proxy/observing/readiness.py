"""What works, what is degraded and what is missing, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "off", "degraded", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """The state of one thing. detail names the fault and the fix; it holds no secret."""

    state: State
    detail: str = ""


Probe = Callable[[], Awaitable[Check]]


@dataclass(slots=True)
class Readiness:
    """The checks of a running proxy. required: names without which it is not ready, instead of degraded."""

    probes: dict[str, Probe]
    required: frozenset[str] = field(default_factory=frozenset)

    async def report(self, *, details: bool = True) -> dict[str, Any]:
        """`ready`, `degraded` (it serves, but not as configured) or `unready`, and every check.

        details: with paths, names and faults, which are not for everybody.
        """
        checks = {name: await probe() for name, probe in self.probes.items()}
        faulty = {name for name, check in checks.items() if check.state in ("degraded", "missing")}
        status = "unready" if faulty & self.required else "degraded" if faulty else "ready"
        shown = {
            name: {"state": check.state, **({"detail": check.detail} if details and check.detail else {})}
            for name, check in checks.items()
        }
        return {"status": status, "checks": shown}
