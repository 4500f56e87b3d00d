"""The benchmark and the ablation, on a tiny checkpoint."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from moosproxy.compressor.checkpoint import load
from moosproxy.compressor.commands.evaluate import bench_compress
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation import outlier_ablation, planting
from moosproxy.compressor.evaluation.speed import bench, earlier
from tests.compressor.tiny import CORPUS


def test_texts_of_a_length_have_that_many_pieces(tiny_checkpoint: Path) -> None:
    encoder = load(tiny_checkpoint).encoder
    source = bench.sample_text(encoder, None)

    for pieces in (50, 3000):
        assert len(encoder.encode(bench.to_length(encoder, source, pieces)).ids) == pieces
    assert source == bench.sample_text(encoder, None)


@pytest.mark.slow
def test_the_benchmark_ends_with_one_line_of_json(tiny_checkpoint: Path) -> None:
    words = ["--checkpoint", str(tiny_checkpoint), "--lengths", "200,900", "--rounds", "2", "--no-peer"]
    done = CliRunner().invoke(bench_compress, [*words, "--threads", "1"])
    told = json.loads(done.output.strip().splitlines()[-1])

    assert done.exit_code == 0
    assert set(told["moosproxy"]) == {"200", "900"}
    assert all(row["tokens_per_s"] > 0 for row in told["moosproxy"].values())
    assert 20 < told["peak_mb"] < 2000
    assert told["cold_start_s"] > 0


@pytest.mark.slow
@pytest.mark.skipif(not (earlier.ROOT / ".git").exists(), reason="no clone: there is no earlier state")
def test_an_earlier_state_runs_beside() -> None:
    words = ["--lengths", "200", "--rounds", "1", "--no-peer", "--threads", "1", "--against", "HEAD"]
    done = CliRunner().invoke(bench_compress, words)
    told = json.loads(done.output.strip().splitlines()[-1])

    assert done.exit_code == 0
    assert told["peers"]["moosproxy at HEAD"]["tokens_per_s"] > 0


def test_a_ref_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(CompressorError, match="no-such-ref"), earlier.built("no-such-ref", 2, "auto", 1):
        pass


def test_long_texts_are_measured_once_and_told_per_token(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "ONCE_PIECES", 500)
    turns: list[int] = []
    measure = bench.Measured.time

    def noted(self: bench.Measured, name: str, pieces: int, work: Callable[[], object]) -> None:
        turns.append(pieces)
        measure(self, name, pieces, work)

    monkeypatch.setattr(bench.Measured, "time", noted)
    words = ["--checkpoint", str(tiny_checkpoint), "--lengths", "200,900", "--rounds", "3", "--no-peer"]

    done = CliRunner().invoke(bench_compress, words)
    told = json.loads(done.output.strip().splitlines()[-1])

    assert [200, 900, 200, 200] == turns
    assert told["moosproxy"]["900"]["time_per_token"] > 0


def test_lengths_that_are_no_numbers_are_one_line_and_exit_code_two() -> None:
    done = CliRunner().invoke(bench_compress, ["--lengths", "many"])

    assert done.exit_code == 2
    assert "--lengths takes whole numbers" in done.output


def test_planted_words_stand_where_they_are_said_to_stand() -> None:
    text = " ".join(f"This is the long sentence number {i} of an otherwise ordinary report." for i in range(20))
    planted = planting.plant(text, np.random.default_rng(0))

    assert len(planted.spans) >= 3
    for (start, end), kind in zip(planted.spans, planted.kinds, strict=True):
        word = planted.text[start:end]
        assert " " not in word
        assert word not in text
        assert kind in planting.KINDS
    rest = planted.text
    for start, end in reversed(planted.spans):
        rest = rest[: start - 1] + rest[end:]
    assert rest == text


@pytest.mark.slow
def test_the_ablation_reports_every_reading_and_alpha(tmp_path: Path, tiny_checkpoint: Path) -> None:
    rows = {
        "qa_spans": [
            {"context": text, "title": "t", "qas": [{"question": "q", "answers": [{"text": "42", "start": 0}]}]}
            for text in CORPUS
        ],
        "meetings": [{"id": "m", "transcript": "\n".join(CORPUS[:9])}] * 3,
        "unlabeled_agent_text": [{"id": "a", "text": "\n".join(CORPUS[9:20])}] * 3,
    }
    (tmp_path / "train").mkdir()
    for name, records in rows.items():
        with gzip.open(tmp_path / "train" / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in records)

    table = outlier_ablation.ablate(tmp_path, [tiny_checkpoint], 4, 1)

    for reading in outlier_ablation.READINGS:
        assert table.count(f"| {reading} |") == len(
            outlier_ablation.ALPHAS
        )  # one row an alpha < 1, one diagnostic
    assert "nan" not in table
