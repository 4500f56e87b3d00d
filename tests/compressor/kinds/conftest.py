"""The bundled checkpoint, once for all tests of kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moosproxy.compressor import Compressor


@pytest.fixture(scope="session")
def compressor() -> Iterator[Compressor]:
    with Compressor.load() as loaded:
        yield loaded
