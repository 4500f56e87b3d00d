"""Answers for texts, in two layers. The first writer wins, so every worker forwards the same bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from moosproxy.proxy.cache.key import Key
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.record import Answer, Record, Skip
from moosproxy.proxy.cache.shared import Layer, SharedCache

LONG_CHARS = 32_768
LONG_BYTES = 4_096
"""From here on spans are worked out, or read, in a thread: the event loop has other requests to serve."""
VERY_LONG_CHARS = 262_144
"""From here on even hashing a text and cutting it along known spans is work for a thread."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """An answer and the layer that had it, None if it was made just now."""

    answer: Answer
    layer: Layer | None


class Store:
    """The in-process layer in front of the shared one, if there is one."""

    def __init__(
        self,
        local: LocalCache,
        shared: SharedCache | None = None,
        *,
        ttl_s: int = 7 * 24 * 3600,
        now: Callable[[], float] = time.time,
    ) -> None:
        """ttl_s: how long kept spans stay in the shared layer. now: Unix seconds."""
        self.local = local
        self.shared = shared
        self._ttl_s = ttl_s
        self._now = now

    def peek(self, key: Key) -> Answer | None:
        """What the in-process layer has."""
        return self.local.get(key.seal)

    async def find(self, texts: Sequence[tuple[Key, str]]) -> dict[Key, Found]:
        """What is known, with one round trip at most. Never raises."""
        found: dict[Key, Found] = {}
        missing: list[tuple[Key, str]] = []
        for key, text in texts:
            answer = self.peek(key)
            if answer is None:
                missing.append((key, text))
            else:
                found[key] = Found(answer, "local")
        if self.shared is None or not missing:
            return found
        values = await self.shared.get_many([key.name for key, _ in missing])
        for (key, text), value in zip(missing, values, strict=True):
            answer = await self._open(key, text, value)
            if answer is not None:
                found[key] = Found(self.local.put_first(key.seal, answer), self.shared.layer)
        return found

    async def settle(self, key: Key, text: str, answer: Answer) -> Answer:
        """Offer an answer; returns the one that counts from now on, which an earlier writer may have given."""
        standing = self.peek(key)
        if standing is None:
            standing = await self._settle_shared(key, text, answer) if self.shared else answer
        return self.local.put_first(key.seal, standing)

    async def aclose(self) -> None:
        """Close what is open."""
        if self.shared:
            await self.shared.aclose()

    async def _settle_shared(self, key: Key, text: str, answer: Answer) -> Answer:
        assert self.shared is not None
        sealed = await off_loop(len(text) >= LONG_CHARS, lambda: key.close(Record.of(answer).to_bytes()))
        ttl_s = self._ttl_s
        if isinstance(answer, Skip) and answer.expires:
            ttl_s = max(1, answer.expires - int(self._now()))
        standing = await self.shared.put_first(key.name, sealed, ttl_s)
        if standing is None or standing == sealed:
            return answer
        winner = await self._open(key, text, standing)
        if winner is not None:
            return winner
        await self.shared.replace(key.name, sealed, ttl_s)
        return answer

    async def _open(self, key: Key, text: str, value: bytes | None) -> Answer | None:
        """The answer in a value from the shared layer; None if it is missing, garbage or a skip that ran out."""
        assert self.shared is not None
        if value is None:
            return None
        try:
            answer = await off_loop(
                len(value) >= LONG_BYTES, lambda: Record.from_bytes(key.open(value)).answer(text)
            )
        except ValueError:
            self.shared.report("garbage")
            return None
        return None if isinstance(answer, Skip) and not answer.holds(self._now()) else answer


async def off_loop(long: bool, work: Callable[[], T]) -> T:
    """Do the work here, or in a thread if it is long."""
    return await asyncio.to_thread(work) if long else work()
