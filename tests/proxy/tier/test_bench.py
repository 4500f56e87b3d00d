"""`moos bench tier` runs, and both sides of it compress."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from moosproxy.proxy.bench.tier.command import bench_tier


@pytest.mark.slow
def test_both_sides_are_measured() -> None:
    options = ["--tokens", "400", "--texts", "2", "--at-once", "2", "--rounds", "1"]
    result = CliRunner().invoke(bench_tier, options)

    assert result.exit_code == 0, result.output
    found = json.loads(result.output.splitlines()[-1])
    assert found["own_tokens_per_s"] > 0 and found["tier_tokens_per_s"] > 0
    assert 0 < found["way_ms"] <= found["way_p95_ms"]
