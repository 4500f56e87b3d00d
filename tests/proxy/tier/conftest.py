"""A replica with the fake compressor, for tests that need one that works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proxy.live import LiveProxy
from tests.proxy.tier.replicas import live


@pytest.fixture
def tier() -> Iterator[LiveProxy]:
    with live() as server:
        yield server
