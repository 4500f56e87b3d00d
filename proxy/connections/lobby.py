"""Every open connection of a process, and which of them wait for a request. Sends away who takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from moosproxy.proxy.connections.held import Held
from moosproxy.proxy.settings import Settings

STATE = "moos.lobby"
"""Under this name the application gives its lobby to the server, in the lifespan's state."""

_ROUND_S = 0.5
# Connections that are looked at before others get their turn: sending one away takes some 20 microseconds.
_SLICE = 100
# Files of a process that are not connections, and each request may need one more to its upstream.
_OTHER_FILES = 64
_HEADS_SHARE = 4


class Guest(Protocol):
    """A connection."""

    def look(self, now: float) -> None:
        """Ends what has taken too long. now: of time.monotonic()."""

    def evict(self) -> None:
        """Makes room for another connection; called only while no request is being served."""


@dataclass(slots=True)
class Lobby:
    """Shared by the connections of one process."""

    settings: Settings
    held: Held
    limit: int
    open: dict[Guest, None] = field(default_factory=dict)
    waiting: dict[Guest, None] = field(default_factory=dict)
    """Those without a request that is being served, the longest wait first."""
    head_bytes: int = 0
    """Bytes of heads that are not whole yet."""
    draining: bool = False

    @property
    def head_bytes_bound(self) -> int:
        """Of all unfinished heads together: nobody has shown a key for them."""
        return self.held.bound // _HEADS_SHARE

    def admit(self, guest: Guest) -> bool:
        """Whether there is room. Where all is full, whoever waits longest without a request has to go."""
        if len(self.open) >= self.limit:
            oldest = next(iter(self.waiting), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.evict()
        self.open[guest] = self.waiting[guest] = None
        return True

    def forget(self, guest: Guest) -> None:
        """The connection has ended."""
        self.open.pop(guest, None)
        self.waiting.pop(guest, None)

    async def watch(self) -> None:
        """Goes round for ever."""
        while True:
            await asyncio.sleep(_ROUND_S)
            guests = list(self.open)
            for at in range(0, len(guests), _SLICE):
                now = monotonic()
                for guest in guests[at : at + _SLICE]:
                    guest.look(now)
                await asyncio.sleep(0)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Goes round until the block ends."""
        watching = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])


def open_lobby(settings: Settings) -> Lobby:
    """The lobby of this process. Its limit leaves room for the files that the process may open."""
    limit = settings.max_connections
    files = _file_limit()
    if files is not None:
        limit = max(1, min(limit, (files - _OTHER_FILES) // 2))
    return Lobby(settings, Held(settings.max_bytes_in_flight), limit)


def _file_limit() -> int | None:
    """Files that this process may have open, None where the system sets no such bound."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_file_limit() -> None:
    """As many files as the system lets this process ask for: the usual 1024 are few for a server."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS names a hard limit that it does not grant
            return
