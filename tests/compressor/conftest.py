"""A tiny seeded encoder, built in the test process, in the form that serving reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compressor.tiny import write_checkpoint


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights, sealed like the bundled checkpoint."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny"))
