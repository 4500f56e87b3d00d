"""What `moos bench fleet` says, and what it measures on a real box."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moosproxy.proxy.bench import sides
from moosproxy.proxy.bench.fleet.calibrate import _fit
from moosproxy.proxy.bench.fleet.command import PUBLISHED, bench_fleet, faster
from moosproxy.proxy.bench.fleet.costs import CostsError, read_costs
from moosproxy.proxy.bench.fleet.sizing import WAIT_S, WHOLE, Sizer
from moosproxy.proxy.bench.fleet.traffic import Traffic
from moosproxy.proxy.bench.sides import SideError

FEW = ["--requests-per-second", "20", "--history", "5000"]


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_it_says_what_a_load_needs_and_more_for_more() -> None:
    result = CliRunner().invoke(bench_fleet, [*FEW, "--requests-per-second", "40", "--dispatch", "two"])

    assert result.exit_code == 0, result.output
    small, large = lines(result.output)
    assert small["replicas"] < large["replicas"]
    for found in (small, large):
        assert found["whole"] <= WHOLE and found["wait_p95_s"] <= WAIT_S and 0 < found["busy"] <= 0.86


def test_it_draws_the_load_a_loss_and_a_rise(tmp_path: Path) -> None:
    plot = tmp_path / "fleet.svg"
    result = CliRunner().invoke(bench_fleet, [*FEW, "--new-tokens", "100:2000", "--plot", str(plot)])

    assert result.exit_code == 0, result.output
    assert "<svg" in plot.read_text()
    loss, rise = (line for line in lines(result.output) if "run" in line)
    for run in (loss, rise):
        ways = ("untouched", "compressed", "refused", "given_up", "broken")
        assert run["arrived"] == sum(run.get(way, 0) for way in ways)


def test_a_faster_replica_means_fewer() -> None:
    slow = read_costs(PUBLISHED)
    fast = faster(slow, 10 * slow.tokens_per_s)
    sizes = [Sizer(costs, Traffic(), "two").size(20).replicas for costs in (slow, fast)]

    assert fast.tokens_per_s == pytest.approx(10 * slow.tokens_per_s)
    assert sizes[1] < sizes[0] / 5


def test_what_there_is_one_of_is_named_once_it_is_full() -> None:
    sizer = Sizer(faster(read_costs(PUBLISHED), 1_000_000), Traffic(history=1_000), "two")
    small = sizer.size(100)

    assert small.full() == []
    assert small.redis == pytest.approx(100 * (1 + 2 * sizer.traffic.compressed_share))


@pytest.mark.parametrize("content", [None, b"{", b'{"proxy_s": 1}', b"[]"])
def test_a_file_of_costs_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "costs.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(CostsError, match="--calibrate"):
        read_costs(file)
    result = CliRunner().invoke(bench_fleet, ["--costs", str(file)])
    assert result.exit_code == 1 and "--calibrate" in result.output and "Traceback" not in result.output


@pytest.mark.parametrize("given", ["100", "100:50", "0:10", "a:b"])
def test_wrong_bounds_are_named(given: str) -> None:
    result = CliRunner().invoke(bench_fleet, ["--new-tokens", given])

    assert result.exit_code == 2 and "100:20000" in result.output


@pytest.mark.parametrize("option", ["--seconds", "--requests-per-second", "--tokens-per-second"])
def test_nothing_a_second_is_refused(option: str) -> None:
    result = CliRunner().invoke(bench_fleet, [*FEW, option, "0"])

    assert result.exit_code == 2 and "x>0" in result.output


def test_costs_are_read_back_from_what_they_made() -> None:
    points = [(tokens, 0.03 + tokens * 0.0002) for tokens in (300, 1_000, 3_000, 9_000)]
    found = _fit(points, [(300, 0.02 + 300 * 0.00015), (9_000, 0.02 + 9_000 * 0.00015)])

    assert found["text_s"] == pytest.approx(0.01) and found["spread"] == pytest.approx(0, abs=1e-9)
    assert found["model_s"] == pytest.approx(0.02) and found["model_token_s"] == pytest.approx(0.00015)
    assert found["text_token_s"] == pytest.approx(0.00005)
    slower = _fit(points, [(300, 0.3), (9_000, 9.0)])  # a busy box may be slower than what one text takes alone
    assert slower["text_token_s"] == 0 and slower["model_token_s"] == pytest.approx(0.001)
    with pytest.raises(SideError, match="quiet machine"):
        _fit(points, [(300, 0.3), (9_000, 0.2)])


def test_what_is_measured_uses_no_cache_that_outlives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second calibration found every text of the first one there, and took that for a compressor's pace."""
    monkeypatch.setenv("MOOS_CACHE_DIR", str(tmp_path))
    with sides.upstream() as upstream, sides.moosproxy(upstream.port, "on"):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_box_is_measured_and_what_was_measured_sizes_a_fleet(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    result = CliRunner().invoke(bench_fleet, ["--calibrate", "--costs", str(file), "--seconds", "6"])

    assert result.exit_code == 0, result.output
    (line,) = lines(result.output)
    assert len(line["calibrated"]) == 3
    assert 1e-6 < read_costs(file).model_token_s < 1e-2 and 1e-5 < read_costs(file).proxy_s < 1
    assert all(measured > 0 and told > 0 for run in line["calibrated"].values() for measured, told in run.values())
