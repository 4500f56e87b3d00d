"""The in-process layer: least recently used answers go first, bounded by bytes. One event loop, no locks."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from moosproxy.proxy.cache.record import Answer, Skip

ENTRY_BYTES = 250
"""Of a key and its place in the table, roughly."""


class LocalCache:
    """Answers by seal (the full hash of what they are for)."""

    def __init__(self, max_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._max_bytes = max_bytes
        self._now = now
        self._bytes = 0
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size(self) -> int:
        """What the answers weigh, roughly."""
        return self._bytes

    def get(self, name: bytes) -> Answer | None:
        """The answer, unless it is unknown or a skip that has run out."""
        answer = self._answers.get(name)
        if answer is None:
            return None
        if isinstance(answer, Skip) and not answer.holds(self._now()):
            self._drop(name)
            return None
        self._answers.move_to_end(name)
        return answer

    def put_first(self, name: bytes, answer: Answer) -> Answer:
        """Keep the answer unless there is one already; returns the one that counts."""
        standing = self.get(name)
        if standing is not None:
            return standing
        self._answers[name] = answer
        self._bytes += answer.size + ENTRY_BYTES
        while self._bytes > self._max_bytes and len(self._answers) > 1:
            self._drop(next(iter(self._answers)))
        return answer

    def _drop(self, name: bytes) -> None:
        self._bytes -= self._answers.pop(name).size + ENTRY_BYTES
