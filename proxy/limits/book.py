"""Where totals stand that several workers, or one before and after a restart, have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from secrets import token_hex
from typing import ClassVar, NamedTuple

from moosproxy.proxy.cache.wire import Command, Wire

_PREFIX = "moos:limits:"
_LIFE = f"{_PREFIX}life"


class Change(NamedTuple):
    """What is added to a total, perhaps nothing. expires: seconds since 1970 when nobody needs it any more."""

    name: str
    amount: int
    expires: int


class Added(NamedTuple):
    """The totals with the changes in them. life: another one where all that was added before is forgotten."""

    life: str
    totals: list[int]


class Book(ABC):
    """Totals by name."""

    where: ClassVar[str]
    """In readiness and the log."""

    @abstractmethod
    async def add(self, changes: Sequence[Change]) -> Added:
        """Adds, and tells what stands there then. Raises whatever keeps it from that, within a few seconds."""

    @abstractmethod
    async def aclose(self) -> None:
        """Closes what is open."""


class RedisBook(Book):
    """In Redis, for workers on one machine or many."""

    where = "redis"

    def __init__(self, url: str) -> None:
        """Nothing is connected yet. Raises ValueError on a malformed URL."""
        self._wire = Wire(url, 1)

    async def add(self, changes: Sequence[Change]) -> Added:
        """One round trip."""
        commands: list[Command] = [("SETNX", _LIFE, token_hex(8)), ("GET", _LIFE)]
        for name, amount, expires in changes:
            commands += [("INCRBY", _PREFIX + name, amount), ("EXPIREAT", _PREFIX + name, expires)]
        _, life, *replies = await self._wire.send(*commands)
        totals = replies[::2]
        for reply, kind in ((life, bytes), *((total, int) for total in totals)):
            if not isinstance(reply, kind):
                raise reply if isinstance(reply, Exception) else TypeError("redis answered something else")
        return Added(life.decode("latin-1"), totals)

    async def aclose(self) -> None:
        """Lets a round trip under way end."""
        await self._wire.aclose()
