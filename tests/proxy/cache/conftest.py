"""Workers that share one Redis, one file, or either in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.cache.workers import FileWorkers, RedisWorkers, Workers
from tests.proxy.redis_server import RedisServer, running_server  # noqa: F401


@pytest.fixture
async def worker(redis_server: RedisServer) -> AsyncIterator[RedisWorkers]:
    workers = RedisWorkers(redis_server)
    yield workers
    redis_server.kill()
    await workers.aclose()


@pytest.fixture
async def file_worker(tmp_path: Path) -> AsyncIterator[FileWorkers]:
    workers = FileWorkers(tmp_path)
    yield workers
    await workers.aclose()


@pytest.fixture(params=["redis", "file"])
def any_worker(request: pytest.FixtureRequest) -> Workers:
    workers: Workers = request.getfixturevalue("worker" if request.param == "redis" else "file_worker")
    return workers
