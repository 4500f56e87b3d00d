"""A trained model to a sealed checkpoint directory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import torch
from safetensors.torch import save_file

from moosproxy.compressor import checkpoint
from moosproxy.compressor.training.sealing.folded import fold
from moosproxy.compressor.training.sealing.graph import Grids, bert_token_classifier


def write(
    model: Any, tokenizer_file: Path, directory: Path, facts: dict[str, Any], grids: Grids | None = None
) -> str:
    """Writes config.json, tokenizer.json, model.safetensors (fp16), both graphs (the fused one as
    onnxruntime optimises it) and moos.json.

    model: a BertForTokenClassification with labels {0: discard, 1: preserve}. facts: what moos.json says beside
    the seal; "question_aware" decides whether serving may put a question in front. grids: of the linear layers
    whose graph computes in 8 bits (compressor.training.sealing.quantize). Returns the fingerprint.
    """
    directory.mkdir(parents=True, exist_ok=True)
    model.config.id2label = {0: "discard", 1: "preserve"}
    model.config.label2id = {"discard": 0, "preserve": 1}
    model.config.dtype = torch.float16
    model.config.save_pretrained(directory)
    if tokenizer_file.resolve() != (directory / "tokenizer.json").resolve():
        shutil.copyfile(tokenizer_file, directory / "tokenizer.json")
    weights = {name: value.detach().half().contiguous().cpu() for name, value in model.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "model.safetensors").chmod(0o644)  # the library writes it for its owner alone
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    for name, fused in (("model.onnx", False), (checkpoint.FUSED_GRAPH, True)):
        graph = bert_token_classifier(directory / "model.safetensors", config, grids, fused=fused)
        onnx.save(graph, directory / name)
        if fused:
            fold(directory / name)
    manifest = {**facts, "files": checkpoint.digest_files(directory)}
    manifest_text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (directory / "moos.json").write_text(manifest_text, encoding="utf-8")
    return checkpoint.load(directory).fingerprint
