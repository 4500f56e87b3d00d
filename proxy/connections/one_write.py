"""An answer's head and the first bytes of its body in one write where they come together.

Each write is a call into the kernel, and those are most of what a relayed answer costs.
"""

from __future__ import annotations

import asyncio
from typing import Any


class OneWrite:
    """Stands for a connection's transport until an answer has begun: what is written first waits for the next.

    It waits until the event loop comes round: a stream's head is never held back for its first event.
    """

    __slots__ = ("_cycle", "_held", "_loop", "_round", "_transport")

    def __init__(self, cycle: Any, loop: asyncio.AbstractEventLoop) -> None:
        """cycle: uvicorn's request, whose `transport` this is from now on."""
        self._cycle, self._loop = cycle, loop
        self._transport: asyncio.Transport = cycle.transport
        self._held: bytes | None = None
        self._round: asyncio.Handle | None = None
        cycle.transport = self

    def write(self, data: bytes) -> None:
        """As the transport's."""
        if self._held is None and not data.startswith(b"HTTP/1.1 1"):
            self._held = data
            self._round = self._loop.call_soon(self._flush)
            return
        self._flush(data)

    def close(self) -> None:
        """As the transport's."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """As the transport's."""
        return self._transport.is_closing()

    def _flush(self, more: bytes = b"") -> None:
        if self._round is not None:
            self._round.cancel()
            self._round = None
            self._cycle.transport = self._transport  # the answer has begun
        data, self._held = (self._held or b"") + more, None
        if data:
            self._transport.write(data)
