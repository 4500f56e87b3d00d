"""What each stage takes: a figure for every kind of text."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.commands.evaluate import bench_stages
from moosproxy.compressor.evaluation.speed import kind_texts, stages
from moosproxy.compressor.kinds.blocks import split


@pytest.mark.parametrize("name", kind_texts.NAMES)
def test_a_made_up_text_is_of_its_kind(name: str) -> None:
    text = kind_texts.of(name, 6000)
    chars: Counter[str] = Counter()
    for block in split(text):
        chars[block.kind.value] += block.end - block.start

    assert text == kind_texts.of(name, 6000)
    assert 5000 < len(text) < 9000
    assert {"yaml": "config", "ini": "config"}.get(name, name) == chars.most_common(1)[0][0]
    assert chars.most_common(1)[0][1] > 0.9 * len(text)


def test_the_stages_add_up_to_what_compression_does(tiny_checkpoint: Path) -> None:
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        text = stages.sized(compressor.checkpoint, "prose", 2000)
        with_encoder = stages.measure(compressor, text, CompressionSettings(ratio=3), encoder=True)
        without = stages.measure(compressor, text, CompressionSettings(ratio=3), encoder=False)

    assert 1500 < with_encoder.tokens < 2500
    assert set(stages.STAGES) == set(with_encoder.seconds)
    assert set(stages.STAGES) - {"encoder"} == set(without.seconds)
    assert 0 < with_encoder.share < without.share < 1
    assert without.or_faster(with_encoder).per_token <= without.per_token


def test_the_command_ends_with_one_line_of_json(tiny_checkpoint: Path) -> None:
    words = ["--checkpoint", str(tiny_checkpoint), "--tokens", "300", "--kind", "log", "--kind", "csv"]
    done = CliRunner().invoke(bench_stages, [*words, "--rounds", "2", "--no-encoder"])
    told = json.loads(done.output.strip().splitlines()[-1])

    assert done.exit_code == 0
    assert ["log", "csv"] == list(told["kinds"])
    assert told["kinds"]["log"]["us"] > 0


def test_an_unknown_kind_is_one_line_and_exit_code_two() -> None:
    done = CliRunner().invoke(bench_stages, ["--kind", "poem"])

    assert done.exit_code == 2
    assert "unknown kind 'poem'" in done.output
