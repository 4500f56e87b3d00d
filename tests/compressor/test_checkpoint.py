from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from moosproxy.compressor import CheckpointError, checkpoint

SEALED = ["config.json", "tokenizer.json", "model.safetensors", "model.onnx", "model_fused.onnx"]


@pytest.fixture
def copy(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "copy"))


@pytest.mark.parametrize("name", SEALED)
def test_a_damaged_file_is_named(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)

    with pytest.raises(CheckpointError, match=name):
        checkpoint.load(copy)


@pytest.mark.parametrize("name", SEALED)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()

    with pytest.raises(CheckpointError, match=f"{name}.*missing"):
        checkpoint.load(copy)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        checkpoint.load(tmp_path / "nowhere")


def test_an_empty_directory_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        checkpoint.load(tmp_path)


def test_three_labels_are_refused(copy: Path) -> None:
    (copy / "moos.json").unlink()
    config = json.loads((copy / "config.json").read_text())
    config["id2label"] = {"0": "a", "1": "b", "2": "c"}
    (copy / "config.json").write_text(json.dumps(config))

    with pytest.raises(CheckpointError, match="3 labels"):
        checkpoint.load(copy)


def test_the_fingerprint_stands_for_the_weights(copy: Path, tiny_checkpoint: Path) -> None:
    before = checkpoint.load(tiny_checkpoint).fingerprint
    (copy / "moos.json").unlink()

    assert before == checkpoint.load(copy).fingerprint

    with (copy / "model.safetensors").open("ab") as file:
        file.write(b"\0")

    assert before != checkpoint.load(copy).fingerprint
