"""One compressor with the tiny checkpoint for all."""

from __future__ import annotations

import pytest

from moosproxy.compressor import Compressor


@pytest.fixture(scope="session")
def compressor(tiny_compressor: Compressor) -> Compressor:
    """Not the bundled one: what is told about JSON here holds for any model."""
    return tiny_compressor
