"""One compressor with the tiny checkpoint for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moosproxy.compressor import Compressor


@pytest.fixture(scope="module")
def compressor(tiny_checkpoint: Path) -> Iterator[Compressor]:
    with Compressor.load(tiny_checkpoint) as loaded:
        yield loaded
