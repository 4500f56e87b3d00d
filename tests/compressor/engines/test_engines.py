"""Same window, same scores: whatever the engine's threads, the batch, its order or the process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from moosproxy.compressor import CompressionSettings, Compressor, SettingsError, checkpoint
from moosproxy.compressor.engines import onnxruntime, open_engine
from moosproxy.compressor.engines.choosing import NAMES
from moosproxy.compressor.scoring.metric import WindowScores
from tests.compressor import tiny

TEXT = "\n".join(" ".join(tiny.WORDS[i % 290 : i % 290 + 9]) + f" costs {i} coins." for i in range(160))


def scores(directory: Path, engine: str, threads: int, *, backwards: bool = False) -> list[WindowScores]:
    with Compressor.load(directory, engine=engine, threads=threads) as compressor:
        windows = list(compressor.plan(TEXT, CompressionSettings(alpha=0.5)).windows)
        if backwards:
            return compressor.score(windows[::-1])[::-1]
        return [score for window in windows for score in compressor.score([window])]


def same(left: list[WindowScores], right: list[WindowScores]) -> bool:
    return all(
        np.array_equal(a.p, b.p) and np.array_equal(a.s, b.s) and a.relevance == b.relevance  # type: ignore[arg-type]
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("engine", NAMES)
def test_scores_do_not_depend_on_batch_order_or_threads(tiny_checkpoint: Path, engine: str) -> None:
    alone = scores(tiny_checkpoint, engine, 1)

    assert len(alone) > 5
    assert same(alone, scores(tiny_checkpoint, engine, 1, backwards=True))
    assert same(alone, scores(tiny_checkpoint, engine, 3, backwards=True))


@pytest.mark.parametrize("engine", NAMES)
def test_engines_agree_with_torch(tiny_checkpoint: Path, engine: str) -> None:
    reference = scores(tiny_checkpoint, "torch", 1)
    other = scores(tiny_checkpoint, engine, 1)
    drift = np.concatenate([np.abs(a.p - b.p) for a, b in zip(reference, other, strict=True)])

    # Where the processor has bf16 it moves single words at random: in torch it moves this model's p by 0.0015 in
    # the mean and 0.037 at most. A wrong graph would change the mean; fp32 must agree everywhere.
    if precision(tiny_checkpoint, engine) == "bf16":
        assert float(drift.mean()) < 0.004
    else:
        assert float(drift.max()) < 1e-4


def precision(directory: Path, engine: str) -> str:
    opened = open_engine(checkpoint.load(directory), engine, 1)
    try:
        return str(getattr(opened, "precision", "f32"))
    finally:
        opened.close()


def test_the_compressed_bytes_do_not_depend_on_the_process(tiny_checkpoint: Path) -> None:
    program = (
        "import sys, hashlib; from moosproxy.compressor import *; text = sys.stdin.read()\n"
        "c = Compressor.load(sys.argv[1], threads=int(sys.argv[2]))\n"
        "print(hashlib.sha256(c.compress(text, CompressionSettings(ratio=3)).text.encode()).hexdigest())"
    )

    def run(threads: int) -> str:
        command = [sys.executable, "-c", program, str(tiny_checkpoint), str(threads)]
        return subprocess.run(command, input=TEXT, capture_output=True, text=True, check=True).stdout

    assert run(1) == run(2)


def test_a_sentencepiece_directory_without_a_graph_loads_through_the_same_door(tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    file = tiny.sentencepiece(tmp_path / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(file))
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=514,
        type_vocab_size=1,
        num_labels=2,
        pad_token_id=tokenizer.token_to_id("<pad>"),
        bos_token_id=0,
        eos_token_id=2,
    )
    XLMRobertaForTokenClassification(config).save_pretrained(tmp_path)

    with Compressor.load(tmp_path) as compressor:
        result = compressor.compress(
            " ".join(tiny.WORDS), CompressionSettings(ratio=2, protect=frozenset(), unit="word")
        )

    assert "torch" == compressor.engine.name
    assert 1.9 < result.ratio < 2.1


def test_a_two_label_directory_of_modern_bert_loads_through_the_same_door(tmp_path: Path) -> None:
    """Newer public compressors have this shape: byte-level pieces, no token types, rotary positions."""
    import torch
    from transformers import ModernBertConfig, ModernBertForTokenClassification

    tokenizer = tiny.byte_level(tmp_path / "tokenizer.json")
    torch.manual_seed(1)
    config = ModernBertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=8192,
        num_labels=2,
        classifier_bias=False,
        **{f"{name}_token_id": tokenizer.token_to_id(f"[{name.upper()}]") for name in ("pad", "cls", "sep")},
    )
    ModernBertForTokenClassification(config).save_pretrained(tmp_path)

    with Compressor.load(tmp_path) as compressor:
        result = compressor.compress(
            " ".join(tiny.WORDS), CompressionSettings(ratio=2, protect=frozenset(), unit="word")
        )

    assert "torch" == compressor.engine.name
    assert 1.9 < result.ratio < 2.1


def test_an_unknown_engine_is_a_clear_error(tiny_checkpoint: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown engine 'cuda'.*openvino"):
        open_engine(checkpoint.load(tiny_checkpoint), "cuda")


def test_the_graph_of_standard_operators_holds_no_weights_of_its_own(tiny_checkpoint: Path) -> None:
    assert json.loads((tiny_checkpoint / "moos.json").read_text())["files"]["model.onnx"]
    assert (tiny_checkpoint / "model.onnx").stat().st_size < 40_000


def test_the_fused_graph_leaves_nothing_to_work_out_and_the_tables_where_they_are(tiny_checkpoint: Path) -> None:
    graph = onnx.load(tiny_checkpoint / "model_fused.onnx", load_external_data=False).graph
    outside = {tensor.name for tensor in graph.initializer if tensor.external_data}

    assert "Transpose" not in {node.op_type for node in graph.node}
    assert "MultiHeadAttention" in {node.op_type for node in graph.node}
    assert "bert.embeddings.word_embeddings.weight" in outside


def test_a_directory_with_the_graph_of_standard_operators_alone_gives_the_same_scores(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(tiny_checkpoint, plain, ignore=shutil.ignore_patterns("model_fused.onnx", "moos.json"))

    for fused, masked in zip(
        scores(tiny_checkpoint, "onnxruntime", 1), scores(plain, "onnxruntime", 1), strict=True
    ):
        np.testing.assert_allclose(fused.p, masked.p, atol=1e-4)


def test_the_default_engine_is_onnxruntime(tiny_checkpoint: Path) -> None:
    with Compressor.load(tiny_checkpoint) as compressor:
        assert "onnxruntime" == compressor.engine.name


@pytest.mark.parametrize(("exact", "expected"), [(False, "1"), (True, None)])
def test_kernels_that_never_clip_are_asked_for_only_where_others_would(
    monkeypatch: pytest.MonkeyPatch, *, exact: bool, expected: str | None
) -> None:
    monkeypatch.setattr(onnxruntime, "sums_8_bit_products_exactly", lambda: exact)
    options = onnxruntime.session_options()

    if expected is None:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            options.get_session_config_entry("session.x64quantprecision")
    else:
        assert options.get_session_config_entry("session.x64quantprecision") == expected
