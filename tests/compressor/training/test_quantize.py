"""8-bit form: what is rounded, how far scores move, and that a window's scores are its own."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.commands.train import train
from moosproxy.compressor.training.sealing import eight_bit, quantize
from tests.compressor import tiny

TEXT = "\n".join(" ".join(tiny.WORDS[i % 290 : i % 290 + 9]) + f" costs {i} coins." for i in range(90))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few training records of each kind that grids are fitted on."""
    folder = tmp_path_factory.mktemp("data")
    rows: dict[str, list[dict[str, Any]]] = {
        "qa_spans": [{"context": TEXT[i * 50 :], "qas": [{"question": "Who pays?"}]} for i in range(40)],
        "meetings": [{"transcript": TEXT, "queries": [{"query": "What was decided?"}]}],
        "unlabeled_agent_text": [{"text": TEXT}],
    }
    for name, records in rows.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
    return folder


@pytest.fixture(scope="module")
def rounded(tiny_checkpoint: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint in 8 bits."""
    out = tmp_path_factory.mktemp("rounded")
    given = CliRunner().invoke(
        train, ["quantize", str(tiny_checkpoint), "--out", str(out), "--data", str(data), "--worst", "1"]
    )
    assert 0 == given.exit_code, given.output
    assert "12 of 12 layers in 8 bits" in given.output
    return out


def p_of(directory: Path, engine: str, *, backwards: bool = False, threads: int = 1) -> np.ndarray:
    with Compressor.load(directory, engine=engine, threads=threads) as compressor:
        windows = list(compressor.plan(TEXT, CompressionSettings(alpha=0.5)).windows)
        scores = compressor.score(windows[::-1])[::-1] if backwards else compressor.score(windows)
    return np.concatenate([score.p for score in scores])


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_scores_in_8_bits_stay_near_the_exact_ones(rounded: Path, tiny_checkpoint: Path, engine: str) -> None:
    exact = p_of(tiny_checkpoint, "torch")
    moved = np.abs(p_of(rounded, engine) - exact)

    assert 0 < moved.mean() < 0.02
    assert moved.max() < 0.1


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_scores_in_8_bits_do_not_depend_on_order_or_threads(rounded: Path, engine: str) -> None:
    assert np.array_equal(p_of(rounded, engine), p_of(rounded, engine, backwards=True, threads=2))


def test_torch_computes_the_unrounded_weights(rounded: Path, tiny_checkpoint: Path) -> None:
    assert np.array_equal(p_of(rounded, "torch"), p_of(tiny_checkpoint, "torch"))


def test_an_outlier_at_the_first_token_leaves_the_others_their_precision() -> None:
    torch.manual_seed(0)
    values, weight = torch.randn(400, 64), torch.randn(16, 64) / 8
    values[:10, :2] = 60.0
    fit = quantize._fit(values, weight)

    words = values[10:]
    scaled = words / torch.from_numpy(fit.grid.divisor)
    back = quantize._rounded(scaled, fit.grid) * torch.from_numpy(fit.grid.divisor)

    assert fit.grid.divisor[:2].min() > 3 * fit.grid.divisor[2:].max()
    assert float((back - words).square().mean().sqrt()) < 0.03
    assert fit.error < 0.05


def test_layers_that_would_be_off_too_far_stay_exact(tiny_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    _, told = eight_bit.write(tiny_checkpoint, tmp_path / "out", data, 0.0)
    graph = onnx.load(tmp_path / "out" / "model.onnx", load_external_data=False).graph

    assert "0 of 12" == told["layers"]
    assert not [node for node in graph.node if node.op_type == "QuantizeLinear"]


def test_another_kind_of_encoder_is_refused(tiny_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_checkpoint, other)
    (other / "moos.json").unlink()
    config = json.loads((other / "config.json").read_text()) | {"model_type": "xlm-roberta"}
    (other / "config.json").write_text(json.dumps(config))

    given = CliRunner().invoke(train, ["quantize", str(other), "--out", str(tmp_path / "o"), "--data", str(data)])

    assert 2 == given.exit_code
    assert "no BERT encoder" in given.output
