"""A rewriter whose compressor keeps every second word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from moosproxy.proxy.cache.local import LocalCache
from moosproxy.proxy.cache.store import Store
from moosproxy.proxy.rewriting.rewrite import Rewriter
from moosproxy.proxy.scheduling.scheduler import CompressionService
from tests.proxy.fakes import FakeCompressor


@pytest.fixture
def fake() -> FakeCompressor:
    return FakeCompressor()


@pytest.fixture
async def service(fake: FakeCompressor) -> AsyncIterator[CompressionService]:
    service = CompressionService(fake, max_queued_tokens=50_000, batch_windows=4)
    yield service
    fake.gate.set()
    await service.aclose()


@pytest.fixture
def rewriter(service: CompressionService) -> Rewriter:
    return Rewriter(service, Store(LocalCache(10_000_000)))
