"""Workers that share one Redis or one file: what they know, how they look it up, what they count."""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from moosproxy.compressor import KeptSpans
from moosproxy.proxy.cache.breaker import Breaker
from moosproxy.proxy.cache.cut import Cut
from moosproxy.proxy.cache.file_cache import FILE_NAME, FileCache
from moosproxy.proxy.cache.key import Key, KeySpace
from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.record import Answer, Skip
from moosproxy.proxy.cache.redis_cache import RedisCache
from moosproxy.proxy.cache.shared import SharedCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.reasons import SkipReason
from tests.proxy.fakes import prose
from tests.proxy.redis_server import RedisServer

TEXT = prose(400)
KEY = KeySpace(["team"]).key(TEXT.encode())
CUT = Cut.of(TEXT, KeptSpans(((0, 2), (6, 8))), 400, 2)
OTHER_CUT = Cut.of(TEXT, KeptSpans(((0, 2), (3, 5))), 400, 2)
PATIENT_MS = 2_000.0
"""A timeout for tests that are not about time: the machine may be busy."""


def pin(seconds: int = 3600) -> Skip:
    return Skip(SkipReason.DEADLINE, 400, int(time.time()) + seconds)


class Workers(ABC):
    """Stores of as many workers as a test asks for, all closed in the end."""

    layer: ClassVar[str]

    def __init__(self) -> None:
        self._stores: list[Store] = []

    async def __call__(self, timeout_ms: float = PATIENT_MS, breaker: Breaker | None = None) -> Store:
        shared = self.cache(timeout_ms, breaker)
        self._stores.append(Store(LocalCache(1_000_000), shared))
        await shared.connect()
        return self._stores[-1]

    @abstractmethod
    def cache(self, timeout_ms: float, breaker: Breaker | None) -> SharedCache:
        """What a worker shares with the others."""

    @abstractmethod
    def plant(self, name: bytes, value: bytes) -> None:
        """Write a value past every worker."""

    async def aclose(self) -> None:
        for store in self._stores:
            await store.aclose()


class RedisWorkers(Workers):
    layer = "redis"

    def __init__(self, server: RedisServer) -> None:
        super().__init__()
        self._server = server

    def cache(self, timeout_ms: float, breaker: Breaker | None) -> SharedCache:
        return RedisCache(self._server.url, timeout_ms=timeout_ms, breaker=breaker)

    def plant(self, name: bytes, value: bytes) -> None:
        with self._server.client() as client:
            client.set(name, value)


class FileWorkers(Workers):
    layer = "file"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    def cache(self, timeout_ms: float, breaker: Breaker | None) -> SharedCache:
        return FileCache(self.folder, timeout_ms=timeout_ms, breaker=breaker)

    def plant(self, name: bytes, value: bytes) -> None:
        with closing(sqlite3.connect(self.path, timeout=5)) as db, db:
            db.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (name, value, 2**40))


async def look_up(store: Store, key: Key = KEY, text: str = TEXT) -> Answer | None:
    found = (await store.find([(key, text)])).get(key)
    return found.answer if found else None


async def timed_look_up(store: Store) -> float:
    started = time.perf_counter()
    assert await look_up(store) is None
    return time.perf_counter() - started


def faults(store: Store) -> dict[str, int]:
    assert store.shared
    return dict(store.shared.faults)
