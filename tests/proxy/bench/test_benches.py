"""The measuring commands run, see what they are to see, and say so in a line that programs can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from moosproxy.compressor import Compressor
from moosproxy.proxy.bench.clients import Reply
from moosproxy.proxy.bench.edge.command import bench_edge
from moosproxy.proxy.bench.proxy_bench import bench_proxy
from moosproxy.proxy.bench.soak import Soak, _summary, bench_soak
from moosproxy.proxy.bench.texts import Texts
from moosproxy.proxy.bench.turn_bench import bench_turn
from tests.proxy import tiny_gguf


def last_line(output: str) -> dict[str, Any]:
    """The JSON line at the end."""
    found = json.loads(output.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def checkpoint() -> None:
    """The bundled checkpoint must be whole."""
    Compressor.load().close()


def reply(reasons: tuple[str, ...] = (), error: str | None = None) -> Reply:
    """Of a request that took a second."""
    return Reply(1.0, 100, 50, 0, 1.0, 1.0, reasons, error)


def test_texts_are_never_alike_and_about_as_long_as_asked() -> None:
    texts = Texts(1)
    made = [texts.of(1000) for _ in range(20)]

    assert len(set(made)) == 20
    assert all(4000 < len(text) < 5000 for text in made)
    assert Texts(1).of(50) == Texts(1).of(50)


@pytest.mark.parametrize(
    ("replies", "memory", "faults"),
    [
        ([reply(("too_short", "role"))], [500.0] * 100, 0),
        ([reply(error="status 500")], [500.0] * 100, 1),
        ([reply(("deadline",))], [500.0] * 100, 1),
        ([reply()], [500.0 + 10 * at for at in range(100)], 1),
    ],
)
def test_a_failure_a_forced_skip_and_growing_memory_are_faults_of_a_soak(
    replies: list[Reply], memory: list[float], faults: int
) -> None:
    run = Soak(1, 100.0, 1.0, replies, [(float(at), size) for at, size in enumerate(memory)], 100.0)

    assert len(_summary(run, 1000.0, 0.5)["faults"]) == faults


@pytest.mark.slow
def test_the_pass_through_bench_writes_its_report(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    options = ["--seconds", "0.3", "--rounds", "1", "--litellm", str(tmp_path / "none"), "--write", str(file)]
    result = CliRunner().invoke(bench_proxy, options)

    assert result.exit_code == 0, result.output
    cases = last_line(result.output)["cases"]
    assert {name for name, sides in cases.items() if sides["moosproxy"]["failed"] == 0} == set(cases)
    assert "CPU us per answer" in file.read_text() and str(tmp_path) not in file.read_text()


@pytest.mark.slow
def test_the_turn_bench_finds_every_old_part_cached(checkpoint: None) -> None:
    options = ["--tokens", "3000", "--messages", "3", "--turns", "5", "--limit-ms", "10000"]
    result = CliRunner().invoke(bench_turn, options)

    assert result.exit_code == 0, result.output
    assert last_line(result.output)["cache_hits"] == 3


@pytest.mark.slow
def test_a_short_soak_passes(checkpoint: None) -> None:
    result = CliRunner().invoke(bench_soak, ["--seconds", "15", "--clients", "4", "--load", "0.3"])

    summary = last_line(result.output)
    assert summary["requests"] >= 4
    assert not [fault for fault in summary["faults"] if "memory" not in fault]  # too short to be warm


@pytest.mark.slow
@tiny_gguf.needs_llama_cpp
def test_the_edge_bench_shortens_reads_only_what_is_new_and_frees_the_model(
    checkpoint: None, tmp_path: Path
) -> None:
    model = tiny_gguf.write(tmp_path / "slow.gguf", tiny_gguf.SLOW, quantisation="Q8_0")
    report, plot = tmp_path / "edge.md", tmp_path / "edge.svg"
    options = ["--model", str(model), "--tokens", "1500", "--ratios", "3", "--rounds", "1"]
    result = CliRunner().invoke(bench_edge, [*options, "--write", str(report), "--plot", str(plot)])

    assert result.exit_code == 0, result.output
    line = last_line(result.output)
    found = line["models"]["slow"]
    assert found["weights"] == "given" and found["peak_mb"] > 50
    bare, short = found["cases"]
    assert 2.8 < short["reached"] < 3.2
    assert bare["compression_s"] < short["compression_s"] < short["first_s"]
    turn = found["second_turn"]
    assert turn["read"] <= turn["new"] < turn["prompt"] / 2
    assert len(found["freed_ms"]["answer"]) == 5 and max(found["freed_ms"]["answer"]) < 1000
    assert json.dumps(line) in report.read_text() and "<svg" in plot.read_text()
