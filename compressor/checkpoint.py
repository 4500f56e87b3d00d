"""A checkpoint directory: what it holds, that it is whole, and the fingerprint that stands for it.

Two forms come through the same door: ours (model.onnx, model.safetensors, moos.json) and any two-label
AutoModelForTokenClassification directory, such as the public LLMLingua-2 ones (those need the torch engine).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moosproxy.compressor import arguments
from moosproxy.compressor.errors import CheckpointError
from moosproxy.compressor.text.encoding import TextEncoder

# Raised whenever the same text, settings and weights may give other bytes than before.
ALGORITHM_VERSION = 9

BUNDLED = Path(__file__).parent / "checkpoints" / "moos-minilm"
WEIGHT_FILES = ("model.onnx", "model.safetensors", "pytorch_model.bin")
# The graph of model.onnx with onnxruntime's own attention, optimised once: it holds weights as they are used.
FUSED_GRAPH = "model_fused.onnx"
_SEALED = ("config.json", "tokenizer.json", *WEIGHT_FILES, FUSED_GRAPH)


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint directory.

    fingerprint: hex, over every file that decides a score and the algorithm version.
    facts: moos.json without its file list; empty for a foreign directory.
    preserve: index of the label that means "keep".
    """

    directory: Path
    config: Mapping[str, Any]
    facts: Mapping[str, Any]
    fingerprint: str
    encoder: TextEncoder
    preserve: int

    @property
    def question_aware(self) -> bool:
        """Whether the model was trained with a question in front of the window."""
        return bool(self.facts.get("question_aware", False))


def load(directory: Path | str | None = None) -> Checkpoint:
    """Opens and verifies a directory, the bundled one by default. Raises CheckpointError naming the file."""
    path = BUNDLED if directory is None else Path(arguments.path("directory", directory))
    if not path.is_dir():
        raise CheckpointError(f"checkpoint {path} is not a directory; name one with --checkpoint")
    config = _read_json(path / "config.json")
    manifest = _read_json(path / "moos.json") if (path / "moos.json").exists() else {}
    names = [name for name in _SEALED if (path / name).is_file()]
    if not any(name in names for name in WEIGHT_FILES):
        raise CheckpointError(f"checkpoint {path} holds no weights: expected one of {', '.join(WEIGHT_FILES)}")
    digests = {name: _sha256(path / name) for name in names}
    _verify(path, digests, manifest.get("files", {}))
    seal = json.dumps([ALGORITHM_VERSION, sorted(digests.items())]).encode()
    return Checkpoint(
        directory=path,
        config=config,
        facts={key: value for key, value in manifest.items() if key != "files"},
        fingerprint=hashlib.sha256(seal).hexdigest()[:16],
        encoder=_encoder(path / "tokenizer.json"),
        preserve=_preserve_label(path, config),
    )


def digest_files(directory: Path) -> dict[str, str]:
    """SHA-256 of each file that moos.json seals."""
    return {name: _sha256(directory / name) for name in _SEALED if (directory / name).is_file()}


def _verify(path: Path, digests: Mapping[str, str], expected: Mapping[str, str]) -> None:
    for name, digest in expected.items():
        if name not in digests:
            raise CheckpointError(f"checkpoint file {path / name} is missing; reinstall the checkpoint")
        if digests[name] != digest:
            raise CheckpointError(
                f"checkpoint file {path / name} is damaged (SHA-256 differs from moos.json); reinstall it"
            )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint file {path} is missing") from None
    except (OSError, ValueError) as fault:
        raise CheckpointError(f"checkpoint file {path} cannot be read as JSON: {fault}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"checkpoint file {path} must hold a JSON object")
    return value


def _encoder(path: Path) -> TextEncoder:
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint file {path} is missing; save a fast tokenizer there (tokenizer.save_pretrained)"
        )
    try:
        return TextEncoder.from_file(path)
    except Exception as fault:  # the tokenizers library raises bare Exception
        raise CheckpointError(f"checkpoint file {path} is not a usable tokenizer: {fault}") from None


def _preserve_label(path: Path, config: Mapping[str, Any]) -> int:
    labels = config.get("id2label") or {"0": "discard", "1": "preserve"}
    if len(labels) != 2:
        raise CheckpointError(f"checkpoint {path} has {len(labels)} labels in config.json; two are needed")
    for key, name in labels.items():
        if str(name).lower() in ("preserve", "keep"):
            return int(key)
    return 1


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise CheckpointError(f"checkpoint file {path} cannot be read: {fault.strerror}") from None
