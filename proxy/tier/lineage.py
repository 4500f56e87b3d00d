"""Under which name the proxies of a fleet keep their answers while the checkpoint behind them changes.

The name is the fingerprint of the first tier that the fleet saw, and stays: so a text that went out once is found
again after an update, in the form that it had, and of two proxies in the middle of one the first decides for both.
The fingerprint that is asked for (`serving`) may change under it. Both lie in the shared cache.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Self

import orjson

from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.tier.address import Hello

NAME = b"moos:1:tier"
UNSEEN = "unseen"
"""The name where a fleet began without any tier."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a fleet holds on to.

    name: fingerprint in cache keys. calibration: its digest there. serving: the print to ask for, "" for any.
    since: Unix seconds at which it began.
    """

    name: str
    calibration: str | None
    serving: str
    since: float

    @classmethod
    def of(cls, hello: Hello | None) -> Self:
        """Of a fleet that begins now, with this tier."""
        if hello is None:
            return cls(UNSEEN, None, "", time.time())
        return cls(hello.fingerprint, hello.calibration, hello.print, time.time())

    def to_bytes(self) -> bytes:
        """For the shared cache."""
        return orjson.dumps([self.name, self.calibration, self.serving, self.since])

    @classmethod
    def from_bytes(cls, data: bytes | None) -> Self | None:
        """None where that is nothing of ours."""
        try:
            name, calibration, serving, since = orjson.loads(data or b"")
        except (ValueError, TypeError):
            return None
        whole = isinstance(name, str) and isinstance(calibration, str | None) and isinstance(serving, str)
        return cls(name, calibration, serving, since) if whole and name and isinstance(since, float) else None


class SharedLineage:
    """Reads and writes it. Without a shared cache each proxy is a fleet of its own."""

    def __init__(self, shared: SharedCache | None, ttl_s: int) -> None:
        """ttl_s: how long the cache keeps answers; the name must outlive them all."""
        self._shared = shared
        self._ttl_s = 2 * ttl_s
        self._written = time.monotonic()
        self.now = Lineage.of(None)

    async def begin(self, hello: Hello | None) -> None:
        """Takes the fleet's, or begins one with this tier."""
        self.now = Lineage.of(hello)
        if self._shared is not None:
            standing = await self._shared.put_first(NAME, self.now.to_bytes(), self._ttl_s)
            self.now = Lineage.from_bytes(standing) or self.now

    async def refresh(self) -> None:
        """Takes over what another proxy has found, and writes it anew before it runs out or where it was lost.

        Of two lineages, which a shared cache that was away may leave, the older one stays.
        """
        if self._shared is None:
            return
        (value,) = await self._shared.get_many([NAME])
        standing = Lineage.from_bytes(value)
        if standing is not None and standing.since <= self.now.since:
            self.now = standing
        elif self._shared.degraded is None:
            await self._write()
        if time.monotonic() - self._written > self._ttl_s / 4:
            await self._write()

    async def serve(self, serving: str) -> None:
        """Another print is asked for from now on."""
        self.now = replace(self.now, serving=serving)
        if self._shared is not None:
            await self._write()

    async def _write(self) -> None:
        assert self._shared is not None
        self._written = time.monotonic()
        await self._shared.replace(NAME, self.now.to_bytes(), self._ttl_s)
