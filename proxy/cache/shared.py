"""The seam to the shared layer: what a store asks of it, and what it does about faults, whatever it is made of."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from moosproxy.proxy.cache.breaker import Breaker

log = logging.getLogger(__name__)

Layer = Literal["local", "redis", "file"]

BACKGROUND_S = 1.0
"""How long work may go on after its caller has stopped waiting."""
WARN_EVERY_S = 30.0


class SharedCache(ABC):
    """Bytes by name, for several workers. Whatever goes wrong, the caller sees a value or a miss, in time."""

    layer: ClassVar[Layer]

    def __init__(self, timeout_ms: float, breaker: Breaker | None) -> None:
        """timeout_ms: the longest that any call waits."""
        self._timeout_s = timeout_ms / 1000
        self._breaker = breaker or Breaker()
        self._probe: asyncio.Task[None] | None = None
        self._closed = False
        self._warned_at = -WARN_EVERY_S
        self._unwarned = 0
        self.faults: Counter[str] = Counter()
        """Faults since the start, by kind: slow, down, full, refused, damaged, garbage."""
        self.on_fault: Callable[[str], None] | None = None
        """Told the kind of each fault."""

    @property
    @abstractmethod
    def degraded(self) -> str | None:
        """Why the shared layer does not do its work just now, None while it does."""

    @abstractmethod
    async def connect(self) -> bool:
        """Whether it answers, with a second's patience. Never raises."""

    @abstractmethod
    async def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """All in one go; None for what is not there."""

    @abstractmethod
    async def put_first(self, name: bytes, value: bytes, ttl_s: int) -> bytes | None:
        """Write unless something is there already; returns what is there now, None if that is not known."""

    @abstractmethod
    async def replace(self, name: bytes, value: bytes, ttl_s: int) -> None:
        """Write over whatever is there."""

    @abstractmethod
    async def _works(self) -> bool:
        """Whether it would serve a request now; if not, the fault is counted. Never raises."""

    async def aclose(self) -> None:
        """Let writes under way land (they are bounded), then close what is open. Later calls are misses."""
        self._closed = True
        if self._probe:
            self._probe.cancel()
            await asyncio.wait({self._probe})

    def report(self, kind: str) -> None:
        """Count a fault, and warn now and then."""
        self.faults[kind] += 1
        self._unwarned += 1
        if self.on_fault is not None:
            self.on_fault(kind)
        if time.monotonic() - self._warned_at >= WARN_EVERY_S:
            log.warning("shared cache: %s (%d faults since the last warning)", kind, self._unwarned)
            self._warned_at = time.monotonic()
            self._unwarned = 0

    def _in_use(self) -> bool:
        """Whether to ask at all; while not, somebody is sent to look now and then."""
        if self._closed:
            return False
        if self._breaker.probe_due and self._probe is None:
            self._probe = asyncio.create_task(self._ask_again())
        return self._breaker.closed

    def _fail(self, kind: str) -> None:
        self.report(kind)
        self._breaker.fail()

    async def _ask_again(self) -> None:
        try:
            if await self._works():
                self._breaker.succeed()
        finally:
            self._probe = None


async def done_within(future: asyncio.Future[Any], seconds: float) -> bool:
    """Wait without cancelling. A loop that was late itself gets a few turns to hand over what has arrived."""
    future.add_done_callback(_look_at)
    await asyncio.wait({future}, timeout=seconds)
    for _ in range(8):
        if future.done():
            return True
        await asyncio.sleep(0)
    return future.done()


def _look_at(future: asyncio.Future[Any]) -> None:
    """So that asyncio does not complain about an exception that nobody waited for."""
    if not future.cancelled():
        future.exception()
