"""A model that answers by rule."""

from __future__ import annotations

import pytest

from tests.compressor.evaluation.answers.conftest import RuleAnswerer


@pytest.fixture
def answerer() -> RuleAnswerer:
    """A new one."""
    return RuleAnswerer()
