"""Workers that share one Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.proxy.cache.workers import Workers
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401


@pytest.fixture
async def worker(redis_server: RedisServer) -> AsyncIterator[Workers]:
    workers = Workers(redis_server.url)
    yield workers
    redis_server.kill()
    await workers.aclose()
