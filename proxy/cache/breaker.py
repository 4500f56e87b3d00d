"""A circuit breaker: after a few faults in a row, stop asking for a while. Knows nothing of what it protects."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Closed while things go well. Opens after `threshold` faults in a row, for `cooldown_s` doubling up to
    `max_cooldown_s`; then one probe is due, and its outcome closes it or opens it again. A probe costs little and
    no request waits for it, while what is found again only at the next one is paid for: so they come often."""

    def __init__(
        self,
        threshold: int = 3,
        cooldown_s: float = 0.5,
        max_cooldown_s: float = 1.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threshold = threshold
        self._first_cooldown_s = self._cooldown_s = cooldown_s
        self._max_cooldown_s = max_cooldown_s
        self._now = now
        self._faults = 0
        self._open_until: float | None = None

    @property
    def closed(self) -> bool:
        """Whether to ask at all."""
        return self._open_until is None

    @property
    def probe_due(self) -> bool:
        """Whether it is open and has waited long enough for a probe."""
        return self._open_until is not None and self._now() >= self._open_until

    def succeed(self) -> None:
        """A call went well in time: forget every fault."""
        self._faults = 0
        self._open_until = None
        self._cooldown_s = self._first_cooldown_s

    def fail(self) -> None:
        """A call or a probe failed."""
        self._faults += 1
        if self.probe_due:
            self._cooldown_s = min(self._cooldown_s * 2, self._max_cooldown_s)
        elif self._faults < self._threshold or not self.closed:
            return
        self._open_until = self._now() + self._cooldown_s
