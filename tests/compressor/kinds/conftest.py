"""Compressors, once for all tests of kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moosproxy.compressor import CompressionSettings, Compressor
from tests.compressor.kinds.kit import Shorten


@pytest.fixture(scope="session")
def compressor() -> Iterator[Compressor]:
    """With the bundled checkpoint."""
    with Compressor.load() as loaded:
        yield loaded


@pytest.fixture(scope="session")
def tiny_compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    """With the tiny checkpoint: for what must hold whatever the model says."""
    with Compressor.load(tiny_checkpoint) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def shorten(tiny_compressor: Compressor) -> Shorten:
    """What is left where next to nothing that may go stays."""

    def shorten(text: str, question: str = "off", ratio: float = 100) -> str:
        asked = CompressionSettings(ratio=ratio, question=question, protect=frozenset())
        return tiny_compressor.compress(text, asked).text

    return shorten
